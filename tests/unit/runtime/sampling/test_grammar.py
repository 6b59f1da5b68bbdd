"""Replies that a grammar holds: the same ones as in the engine's notation, and none of its traps."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop.engine.protocol import FailureKind
from desktop.library import starter
from desktop.runtime.failures import EngineError
from desktop.runtime.sampling.grammar.reader import read_grammar
from desktop.runtime.sampling.grammar.states import DEAD, GrammarStates
from tests.support.native_sampling import Samplers, SamplingFailed, samplers

JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws

array  ::= # a list
  "[" ws ( value ("," ws value)* )? "]" ws

string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4})
  )* "\"" ws

number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
"""
GRAMMARS = {
    "json": (JSON, '{"name": "Ann", "numbers": [1, -2.5e3, true], "é": "中文\\u00e9"}'),
    "arithmetic": (
        'root ::= (expr "=" [0-9]+ "\\n")+\nexpr ::= term ([-+*/] term)*\nterm ::= [0-9]+ | "(" expr ")"',
        "12+(3*4)=24\n1",
    ),
    "letters": ("root ::= [一-龥]+ [^a-z]* .", "中文字符 ABC."),
    "repeats": ('root ::= ("ab"{2,3} | "c"{2,} | "d"{3}){1,4} "!"?', "ababcccdddababab!"),
    "ambiguous": ('root ::= "a"* "a"* ("b" | "a" "b")', "aaaaaab"),
    "escapes": (r'root ::= "\x41\u00e9\U0001F600\t\"\\" [\]\-\\\[] [a\-z]', 'Aé😀\t"\\]-'),
}


@pytest.fixture(scope="module")
def child() -> Iterator[Samplers]:
    with samplers(Path(starter.starter_model().path)) as started:
        yield started


def states(text: str) -> GrammarStates:
    return GrammarStates(read_grammar(text, token_of=lambda _: None))


def accepts(text: str, reply: str) -> bool:
    grammar = states(text)
    state = grammar.start
    for letter in reply:
        state = grammar.step(state, letter) if state != DEAD else DEAD
    return state != DEAD and grammar.may_end(state)


def refusal(text: str) -> str:
    """Why a grammar is refused; it must not take long (on the processor: other tests may hold it)."""
    started = time.process_time()
    with pytest.raises(EngineError) as raised:
        states(text)
    assert time.process_time() - started < 2
    assert raised.value.failure.kind is FailureKind.BAD_GRAMMAR
    return raised.value.failure.detail


@pytest.mark.parametrize("name", GRAMMARS)
def test_the_same_tokens_fit_as_in_the_engines_own_grammar(child: Samplers, name: str) -> None:
    grammar, text = GRAMMARS[name]
    differences = child.ask("compare", grammar=grammar, text=text, steps=16)
    assert len(differences) > 2
    assert differences == [[]] * len(differences)


@pytest.mark.parametrize(
    ("grammar", "yes", "no"),
    [
        ('root ::= "a" | "b" "c"', ["a", "bc"], ["", "b", "ac", "abc"]),
        ('root ::= "ab"{2}', ["abab"], ["ab", "abb", "ababab"]),
        ('root ::= "a"{2,3} "b"?', ["aa", "aaab"], ["a", "aaaa", "aabb"]),
        ('root ::= ("a" | "b"){0,2}', ["", "a", "ba"], ["aba"]),
        ("root ::= [^a-c\\n]+", ["xyz"], ["xay", "\n", ""]),
        ('root ::= one+\none ::= "x" # a remark\n  \n', ["x", "xx"], ["", "y"]),
        ('root ::= "(" root ")" | ""', ["", "()", "(())"], ["(", "())"]),
        ('root ::= ("a"? "b"?){3}', ["", "ab", "ba", "abab"], ["aaaa"]),
        ('root ::= "a"{0,1000000000}', ["", "a" * 50], ["b"]),
        ('root ::= "a"{0} "b"', ["b"], ["ab"]),
        ('root ::=\n  "a" |\n  "b"\r\nother ::= "c"', ["a", "b"], ["c"]),
    ],
)
def test_a_grammar_accepts_what_it_says(grammar: str, yes: list[str], no: list[str]) -> None:
    assert [text for text in yes if not accepts(grammar, text)] == []
    assert [text for text in no if accepts(grammar, text)] == []


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        ('root ::= root "x" | "y"', "left recursion: 'root'"),
        ('root ::= a root "x" | "y"\na ::= b\nb ::= ""', "left recursion"),
        ('root ::= (root)? "x"', "left recursion"),
        ('root ::= "a"* root', "left recursion"),
        ('root ::= a\na ::= b\nb ::= a "x"', "left recursion"),
        ('root ::= "a"{5,3}', "at least 5 and at most 3"),
        ('root ::= "a"{1000000000}', "repeats more than"),
        ('root ::= "a"{99999999999999999999999}', "a number of repetitions"),
        ('root ::= "a" |' + ' "b" |' * 600_000 + ' "c"', "characters"),
        ('root ::= "' + "a" * 400_000 + '"', "elements"),
        ("root ::= " + "(" * 100_000 + '"a"' + ")" * 100_000, "nested"),
        ("root ::= missing", "'missing' is used"),
        ('start ::= "a"', "no rule 'root'"),
        ("", "no rule 'root'"),
        ('root ::= "a', '" before the end'),
        ("root ::= [a", "] before the end"),
        ('root ::= "a" )', "expected the end of the line, found ')'"),
        ('root ::= ("a"', "')'"),
        ("root ::= *", "something to repeat"),
        ('root := "a"', "expected ::="),
        ('root ::= "\\q"', "an escape that is known"),
        ('root ::= "a"\nx ::= "b" ?? {', "line 2"),
        ("root ::= <no such token>", "no token"),
        ("\0", "the name of a rule"),
    ],
    ids=lambda value: value[:30],
)
def test_a_grammar_that_cannot_be_used_is_refused_with_a_reason(grammar: str, reason: str) -> None:
    assert reason in refusal(grammar)


def test_rules_that_refer_to_each_other_in_a_diamond_are_no_trap() -> None:
    """The engine looks for left recursion along every path: 2^60 of them here."""
    rules = [f"r{number} ::= r{number + 1} | r{number + 1}" for number in range(60)]
    assert accepts("\n".join(["root ::= r0", *rules, 'r60 ::= "a"']), "a")


def test_a_chain_of_a_hundred_thousand_rules_breaks_no_stack() -> None:
    rules = [f"r{number} ::= r{number + 1}" for number in range(20_000)]
    assert accepts("\n".join(["root ::= r0", *rules, 'r20000 ::= "a"']), "a")


def test_a_grammar_with_too_many_ways_to_begin_is_refused() -> None:
    rules = [f'r{number} ::= r{number + 1} "a" | r{number + 1} "b"' for number in range(40)]
    assert "too" in refusal("\n".join(["root ::= r0", *rules, 'r40 ::= "x"']))


def test_a_grammar_that_doubles_its_ways_with_each_letter_ends_the_request_and_not_the_engine(child: Samplers) -> None:
    started = time.monotonic()
    with pytest.raises(SamplingFailed, match=r"bad_grammar: .*ambiguous"):
        child.ask(
            "generate",
            sampling={
                "grammar": 'root ::= "a" root "b" | "a" root "c" | "a" root "d" | "x"',
                "logit_bias": [{"text": "x", "bias": -1000000}],
            },
        )
    assert time.monotonic() - started < 10
    assert child.generate(grammar='root ::= "fine"')["text"] == "fine"


def test_a_reply_ends_when_its_grammar_does(child: Samplers) -> None:
    reply = child.generate(grammar='root ::= "yes" | "no"', seed=1)
    assert reply["text"] in {"yes", "no"}
    assert reply["ended"]


def test_a_grammar_that_may_go_on_lets_the_model_end(child: Samplers) -> None:
    reply = child.generate(grammar="root ::= [a-zA-Z ,.]+", seed=1)
    assert not reply["ended"]
    assert set(reply["text"]) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ,.")


def test_letters_that_take_several_tokens_are_kept_whole(child: Samplers) -> None:
    reply = child.generate(grammar="root ::= [😀-😏]{3} [一-龥]{2}", seed=4, temperature=2)
    assert len(reply["text"]) == 5
    assert all("😀" <= letter <= "😏" for letter in reply["text"][:3])


@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": 0},
        {"top_k": 0},
        {"mirostat": 2},
        {"top_n_sigma": 1.0},
        {"typical_p": 0.5},
        {"repeat_penalty": 1.3, "dry_multiplier": 0.8},
    ],
    ids=str,
)
def test_a_grammar_holds_with_every_kind_of_sampler(child: Samplers, sampling: dict[str, float]) -> None:
    reply = child.generate(grammar='root ::= [0-9]{3} "-" [0-9]{4}', seed=2, **sampling)
    assert len(reply["text"]) == 8
    assert reply["text"].replace("-", "").isdigit()


def test_a_complete_grammar_is_stronger_than_a_ban_of_ends(child: Samplers) -> None:
    reply = child.ask("generate", sampling={"grammar": 'root ::= "a"', "ignore_end": True}, limit=5)
    assert reply["text"] == "a"


def test_control_tokens_are_no_text_for_a_grammar(child: Samplers) -> None:
    """The engine's own grammar takes "<|im_end|>" for ten letters."""
    assert child.ask("fits", grammar='root ::= "a" .*', texts=["a<b", "b"]) == [True, False]
    reply = child.generate(grammar="root ::= <|im_start|> [a-z]{3}", seed=1)
    assert len(reply["text"]) == 3
    assert len(reply["tokens"]) > 1


def test_what_the_bias_forbids_and_the_grammar_demands_is_refused(child: Samplers) -> None:
    token = child.ask("tokenize", text="a")[0]
    with pytest.raises(SamplingFailed, match="no token of the model"):
        child.generate(grammar='root ::= "a"', logit_bias=[{"token": token, "bias": -1000000}])
