"""A child that speaks the engine's protocol without an engine, and does what a test wants."""

import sys

from desktop.engine.protocol import PROTOCOL_VERSION

CHILD = f"""
import json, os, signal, sys, time
def say(**fields): print(json.dumps(fields), flush=True)
info = dict(version="0", system_info="", supports_gpu_offload=False, supports_rpc=False, devices=[])
stats = dict(completion_tokens=1)
model = dict(name="m", architecture="x", n_layer=1, n_ctx=1, n_ctx_train=1, n_vocab=1, n_params=1, n_threads=1,
             has_chat_template=True, layers=["CPU", "CPU"], memory=[], load_seconds=0)
def begin(request): say(type="PromptProgress", request_id=request, done=1, total=2)
def word(request, text): say(type="TextDelta", request_id=request, text=text)
def done(request): say(type="Done", request_id=request, finish_reason="stop", stats=stats)
def die(): os.kill(os.getpid(), 9)
def note(text):
    if "NOTES" not in os.environ: return
    with open(os.environ["NOTES"], "a") as file: print(text, file=file)
def notes():
    try: return open(os.environ["NOTES"]).read().split("\\n")[:-1]
    except FileNotFoundError: return []
say(type="Hello", version={PROTOCOL_VERSION}, pid=os.getpid(), engine=info)
waiting = []
for line in sys.stdin:
    message = json.loads(line)
    kind, request = message["type"], message.get("request_id")
    if kind == "Ping": say(type="Pong", nonce=message["nonce"])
    if kind == "Load": say(type="Loaded", model=model, load_id=message["load_id"])
    if kind == "AskStatus": say(type="Status", nonce=message["nonce"], active=3)
    if kind == "Cancel": say(type="Done", request_id=request, finish_reason="cancelled", stats=stats)
    if kind == "CountTokens": say(type="TokensCounted", request_id=request, tokens=5, context=9)
    text = message["messages"][-1]["content"] if kind == "Generate" else message.get("texts", [""])[0]
    if not request or kind == "Cancel": continue
    note(text)
"""


def stand_in_child(script: str = "pass") -> list[str]:
    """The command of a child that loads everything, and runs `script` for each request.

    The script has kind, request (its id), text (the last message, or the first text), message, and what is defined
    above. Where the variable NOTES names a file, each request's text is a line of it.
    """
    body = "\n".join("    " + line for line in script.strip().split("\n"))
    return [sys.executable, "-c", CHILD + body]
