"""`snug models --search` and `--files`: what the Hub has, and whether it fits this machine."""

import argparse
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from desktop.cli.output import print_json, print_note, print_table, print_text
from desktop.cli.recommend import choice_as_json
from desktop.errors import WrongUsage
from desktop.sizes import gb, gib

if TYPE_CHECKING:
    from desktop.actions.hub_verdicts import RepoVerdict
    from desktop.catalog.hub_files import HubListing
    from desktop.catalog.search import HubPage, HubRepo, HubSort
    from desktop.errors import AppError
    from desktop.fit.types import Choice
    from desktop.services import Services, Survey

_SORTS = ("trending", "downloads", "likes", "updated", "created")
_USUAL_SORT: "HubSort" = "trending"
_USUAL_LIMIT = 20
_OF_A_SEARCH = ("sort", "author", "base", "limit", "next")
_VERDICTS = {"fits": "fits", "partial": "fits in part", "tight": "tight", "does_not_fit": "does not fit"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what asks the Hub."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--search", metavar="TEXT", help='search the Hub for GGUF repositories; "" is what is in demand')
    which.add_argument("--files", metavar="OWNER/REPO", help="list the models in a repository of the Hub")
    parser.add_argument("--sort", choices=_SORTS, help=f"order of a search (default: {_USUAL_SORT})")
    parser.add_argument("--author", metavar="OWNER", help="search what this owner published")
    parser.add_argument("--base", metavar="OWNER/MODEL", help="search quantizations of this model")
    parser.add_argument("--limit", metavar="N", type=int, help=f"repositories of a page (default: {_USUAL_LIMIT})")
    parser.add_argument("--next", metavar="CURSOR", help="the page after the one that named this cursor")
    parser.add_argument("--fits", action="store_true", help="list only what fits this machine; headers are fetched")


def asks_the_hub(arguments: argparse.Namespace) -> bool:
    """Whether the Hub is to be asked. Raises WrongUsage for an option that would have no effect."""
    given = [name for name in _OF_A_SEARCH if getattr(arguments, name) is not None]
    if arguments.files is not None:
        _refuse(given, "belongs to a search, not to --files")
    elif arguments.search is None and arguments.author is None and arguments.base is None:
        _refuse(given, "belongs to a search: --search, --author or --base")
        _refuse(["fits"] if arguments.fits else [], "belongs to a search or to --files")
        return False
    _refuse(["no-scan"] if arguments.no_scan else [], "belongs to the list of what is on this disk")
    _check_limit(arguments.limit)
    return True


def _refuse(options: list[str], why: str) -> None:
    if options:
        raise WrongUsage(reason=f"--{options[0]} {why}")


def _check_limit(limit: int | None) -> None:
    from desktop.catalog.search import MOST_REPOS

    if limit is not None and not 1 <= limit <= MOST_REPOS:
        raise WrongUsage(reason=f"--limit {limit} is not between 1 and {MOST_REPOS}")


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Ask the Hub and print the answer. Raises what search_hub and list_files raise, and WrongUsage."""
    if arguments.files is not None:
        await _print_files(arguments, services)
    else:
        await _print_repos(arguments, services)
    if services.hub.is_token_untold:
        print_note(
            "note: the keyring did not tell your token, so the Hub was asked without it; unlock the keyring first"
        )
    return 0


async def _print_repos(arguments: argparse.Namespace, services: "Services") -> None:
    from desktop.actions.hub import search_hub

    page = await search_hub(
        services,
        arguments.search or "",
        sort=arguments.sort or _USUAL_SORT,
        limit=arguments.limit or _USUAL_LIMIT,
        author=arguments.author or "",
        base_model=arguments.base or "",
        cursor=arguments.next or "",
    )
    verdicts = await _judged_repos(services, page) if arguments.fits else None
    repos = [repo for repo in page.repos if verdicts is None or repo.repo in verdicts]
    if arguments.json:
        rows = [repo_as_json(repo, verdicts[repo.repo] if verdicts else None) for repo in repos]
        print_json({"models": rows, "next": page.cursor or None, "left_out": page.left_out})
        return
    if not repos:
        print_text("Nothing was found that fits this machine." if page.repos else "Nothing was found.")
    elif verdicts is None:
        _print_table_of_repos(repos)
    else:
        _print_table_of_verdicts([verdicts[repo.repo] for repo in repos])
    if page.cursor:
        print_note(f"note: there is more: --next {page.cursor}")


async def _judged_repos(services: "Services", page: "HubPage") -> "dict[str, RepoVerdict]":
    """Those of which something fits; what could not be judged is told on stderr."""
    from desktop.actions.hub_verdicts import judge_repos

    found, fitting, done = await _survey(services), {}, 0
    async with aclosing(judge_repos(services, found, page.repos)) as verdicts:
        async for verdict in verdicts:
            done += 1
            print_note(f"{done} of {len(page.repos)}: {verdict.repo.repo}")
            if verdict.failure is not None:
                _tell(verdict.repo.repo, verdict.failure)
            if verdict.fits:
                fitting[verdict.repo.repo] = verdict
    return fitting


async def _print_files(arguments: argparse.Namespace, services: "Services") -> None:
    from desktop.actions.hub import list_files

    listing = await list_files(services, arguments.files)
    choices = await _judged_files(services, listing) if arguments.fits else None
    if arguments.json:
        print_json(listing_as_json(listing, choices))
        return
    _print_table_of_files(listing, choices)
    if listing.repo.gated:
        print_note(f"note: for those who accepted its terms on {services.hub.shown_endpoint}/{listing.repo.repo}")


async def _judged_files(services: "Services", listing: "HubListing") -> "dict[str, Choice]":
    from desktop.actions.hub_verdicts import judge_files

    found = await _survey(services)
    rows = judge_files(services, found, listing, on_failure=lambda error: _tell(listing.repo.repo, error))
    async with aclosing(rows) as choices:
        return {choice.file: choice async for choice in choices if choice.fits}


async def _survey(services: "Services") -> "Survey":
    from desktop.actions.survey import survey

    found = await survey(services)
    if found.failure is not None:
        raise found.failure
    return found


def _tell(name: str, error: "AppError") -> None:
    message, hint = error.explain()
    print_note(f"note: {name}: {message} {hint}")


def repo_as_json(repo: "HubRepo", verdict: "RepoVerdict | None") -> dict[str, Any]:
    """Return a repository as docs/cli.md describes it."""
    fields = {name: None if value == "" else value for name, value in msgspec.to_builtins(repo).items()}
    best = choice_as_json(verdict.choice) if verdict is not None and verdict.choice is not None else None
    return {"id": repo.repo, **fields, "gated": bool(repo.gated), "best": best}


def listing_as_json(listing: "HubListing", choices: "dict[str, Choice] | None") -> dict[str, Any]:
    """Return the files of a repository as docs/cli.md describes them; with `choices` only those that fit."""
    from desktop.actions.hub import hub_reference

    models = [
        {
            "id": hub_reference(listing, file),
            "file": file.file,
            "quantization": file.quantization,
            "size": file.size,
            "shards": file.shards,
            "sha256": file.sha256 or None,
            "verifiable": file.verifiable,
            "fit": choice_as_json(choices[file.file]) if choices is not None else None,
        }
        for file in listing.models
        if choices is None or file.file in choices
    ]
    return {
        "repo": repo_as_json(listing.repo, None),
        "commit": listing.commit,
        "models": models,
        "projectors": [_other(file.file, file.size) for file in listing.projectors],
        "imatrices": [_other(file.file, file.size) for file in listing.imatrices],
        "left_out": listing.left_out,
    }


def _other(file: str, size: int) -> dict[str, Any]:
    return {"file": file, "size": size}


def _print_table_of_repos(repos: "list[HubRepo]") -> None:
    table: list[tuple[str, ...]] = [("REPOSITORY", "PARAMETERS", "DOWNLOADS", "LIKES", "UPDATED", "LICENCE", "ACCESS")]
    for repo in repos:
        parameters = "" if repo.parameters is None else f"{repo.parameters / 1e9:.1f}B"
        updated = "" if repo.updated is None else datetime.fromtimestamp(repo.updated, UTC).strftime("%Y-%m-%d")
        access = "private" if repo.private else "by terms" if repo.gated else ""
        row = (repo.repo, parameters, f"{repo.downloads:,}", f"{repo.likes:,}", updated, repo.licence, access)
        table.append(row)
    print_table(table, right=(1, 2, 3))


def _print_table_of_verdicts(verdicts: "list[RepoVerdict]") -> None:
    table: list[tuple[str, ...]] = [("REPOSITORY", "BEST FILE HERE", "SIZE", "MEMORY", "TOK/S", "VERDICT")]
    for verdict in verdicts:
        if verdict.choice is not None:
            choice = verdict.choice
            table.append(
                (verdict.repo.repo, choice.quantization or choice.file, gb(choice.download_size), *_fit(choice))
            )
    print_table(table, right=(2, 3, 4))


def _print_table_of_files(listing: "HubListing", choices: "dict[str, Choice] | None") -> None:
    from desktop.actions.hub import hub_reference

    head = ("MODEL", "SIZE", "FILES")
    table: list[tuple[str, ...]] = [head if choices is None else (*head, "MEMORY", "TOK/S", "VERDICT")]
    for file in listing.models:
        row = (hub_reference(listing, file), gb(file.size), str(file.shards))
        if choices is None:
            table.append(row)
        elif file.file in choices:
            table.append((*row, *_fit(choices[file.file])))
    if len(table) == 1:
        print_text("No model of it fits this machine." if listing.models else "There is no model in it.")
        return
    print_table(table, right=(1, 2, 3, 4))


def _fit(choice: "Choice") -> tuple[str, str, str]:
    speed = f"{choice.speed.decode_low:.0f}-{choice.speed.decode_high:.0f}"
    measured = speed if choice.speed.measured else f"~{speed}"  # "~": an estimate
    return gib(choice.memory_total), measured, _VERDICTS[choice.verdict]
