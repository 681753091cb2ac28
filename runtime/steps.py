# What a script of `freeorder export --to ttnn` does with its lines: each call is made, and what can be
# seen after it is held against what the model of tt-metal answers.
import os
from concurrent.futures import ThreadPoolExecutor

GONE = object()  # the name holds no tensor
gc.disable()  # a cycle is let go where the scenario says so
cycles = []
expected, wrong, threads, calls, differences = {}, {}, {}, 0, 0


def attempt(call):
    """What the call raises; nothing if it returns."""
    try:
        exec(call, globals())
    except Exception as error:
        return str(error).split("info:\n")[-1].split("\nbacktrace")[0].strip()


def seen(name):
    tensor = globals().get(name)
    if not isinstance(tensor, ttnn.Tensor):
        return GONE
    return tensor.buffer_address() if tensor.is_allocated() else None


def told(state):
    return {GONE: "holds nothing", None: "is not allocated"}.get(state, f"at {state}")


def differ(what):
    global differences
    differences += 1
    print("    DIFFERS: the model says:", what)


def step(line, call, thread=None, raises=None, **changes):
    """Makes a line's call; `changes` is what the names hold after it that held something else."""
    global calls
    calls += 1
    print(f"line {line}:", *([f"{thread}:"] if thread else []), call, flush=True)
    if thread is None:
        error = attempt(call)
    else:  # every thread of the scenario is one here; it waits for its turns, and this one for it
        threads.setdefault(thread, ThreadPoolExecutor(1))
        error = threads[thread].submit(attempt, call).result()
    if error is not None:
        print("    raises", error)
    if error != raises:
        differ(f"raises {raises}" if raises else "raises nothing")
    expected.update(changes)
    for name, state in expected.items():
        now = seen(name)
        is_news = now != state and wrong.get(name) != (now, state)  # a difference is told once
        if name in changes or is_news:
            print("   ", name, told(now), flush=True)
        if is_news:
            differ(f"{name} {told(state)}")
        wrong[name] = (now, state)


def finish(exit=False):
    """The end of the scenario. What is alive stays so: destructors run if the scenario says `exit`."""
    print(f"{calls} calls, {differences} differences from the model", flush=True)
    for thread in threads.values():
        thread.shutdown()
    (sys.exit if exit else os._exit)(1 if differences else 0)
