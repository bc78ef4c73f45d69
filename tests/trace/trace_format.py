# SPDX-License-Identifier: MIT
"""What a trace must be, for a viewer of Chrome's trace-event format to show all of it. The format:
"Trace Event Format" by the Chromium authors; only the phases that weir writes are known here."""

NUMBER = (int, float)

# Phase: the members that it must have besides these, and those that it may have.
COMMON = {"ph": str, "name": str, "pid": int, "tid": int}
PHASES = {
    "X": ({"ts": NUMBER, "dur": NUMBER, "args": dict}, {}),
    "i": ({"ts": NUMBER, "s": str, "args": dict}, {}),
    "M": ({"args": dict}, {}),
    "s": ({"ts": NUMBER, "cat": str, "id": int}, {}),
    "f": ({"ts": NUMBER, "cat": str, "id": int, "bp": str}, {}),
}
METADATA = ("process_name", "thread_name")


def is_a(value, kind) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def errors_of_event(event) -> list[str]:
    if not isinstance(event, dict):
        return ["is no object"]
    if event.get("ph") not in PHASES:
        return [f"has the unknown phase {event.get('ph')!r}"]
    required, optional = PHASES[event["ph"]]
    found = []
    for key, kind in (COMMON | required).items():
        if not is_a(event.get(key), kind):
            found.append(f"has no good {key!r}: {event.get(key)!r}")
    for key in event.keys() - COMMON.keys() - required.keys() - optional.keys():
        found.append(f"has an unknown member {key!r}")
    if found:
        return found
    if event["ph"] == "M":
        if event["name"] not in METADATA or not isinstance(event["args"].get("name"), str):
            found.append("is no name of a process or thread")
    if event["ph"] == "i" and event["s"] not in ("t", "p", "g"):
        found.append(f"has the unknown scope {event['s']!r}")
    if event["ph"] == "f" and event["bp"] != "e":
        found.append("is bound to the next span instead of this one")
    if event.get("dur", 0) < 0:
        found.append("ends before it begins")
    return found


def errors_of_tracks(events: list[dict]) -> list[str]:
    """Every track has one name; its spans do not overlap."""
    found = []
    named = [(event["pid"], event["tid"]) for event in events
             if event["ph"] == "M" and event["name"] == "thread_name"]
    if len(named) != len(set(named)):
        found.append("a track has two names")
    used = {(event["pid"], event["tid"]) for event in events if event["ph"] != "M"}
    found += [f"track {track} has no name" for track in sorted(used - set(named))]
    for track in sorted(used):
        spans = sorted((event["ts"], event["ts"] + event["dur"]) for event in events
                       if event["ph"] == "X" and (event["pid"], event["tid"]) == track)
        for (_, end), (begin, _) in zip(spans, spans[1:]):
            if begin < end - 0.0015:  # Rounded to a thousandth, each of them.
                found.append(f"track {track}: a span begins at {begin}, in one that ends at {end}")
    return found


def inside_a_span(event: dict, events: list[dict]) -> bool:
    return any(span["ph"] == "X" and span["pid"] == event["pid"] and span["tid"] == event["tid"]
               and span["ts"] - 0.0015 <= event["ts"] <= span["ts"] + span["dur"] + 0.0015
               for span in events)


def errors_of_arrows(events: list[dict]) -> list[str]:
    """Every arrow has both ends, in this order, and each end a span to be drawn at."""
    found = []
    ends: dict[int, dict[str, list[dict]]] = {}
    for event in events:
        if event["ph"] in "sf":
            ends.setdefault(event["id"], {"s": [], "f": []})[event["ph"]].append(event)
    for number, arrow in ends.items():
        counts = (len(arrow["s"]), len(arrow["f"]))
        if counts != (1, 1):
            found.append(f"arrow {number} has {counts[0]} beginnings and {counts[1]} ends")
            continue
        if arrow["s"][0]["ts"] > arrow["f"][0]["ts"]:
            found.append(f"arrow {number} goes back in time")
        for end in (arrow["s"][0], arrow["f"][0]):
            if not inside_a_span(end, events):
                found.append(f"arrow {number}: its {end['ph']} end is in no span")
    return found


def errors_of_trace(trace) -> list[str]:
    if not isinstance(trace, dict) or not isinstance(trace.get("traceEvents"), list):
        return ["has no list traceEvents"]
    if trace.get("displayTimeUnit") not in ("ms", "ns"):
        return ["has an unknown displayTimeUnit"]
    events = trace["traceEvents"]
    found = [f"event {number} {error}: {event!r}"
             for number, event in enumerate(events) for error in errors_of_event(event)]
    return found or errors_of_tracks(events) + errors_of_arrows(events)
