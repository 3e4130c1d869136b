"""Normalization, digest projection and schema merging of manifests. Inputs are manifests that are known to be valid."""

from canonical import canonical, digest, document_order, utf16_key

TOP = ("format", "id", "displayName", "description", "kind", "docs", "capabilities", "schemas", "exports", "uses",
       "state", "rpc", "operations", "events", "feeds", "errors", "jobs", "eventConsumers", "resources")


def keep(value, *names):
    return {n: value[n] for n in names if n in value}


def each(section, of):
    return {name: of(entry) for name, entry in section.items()}


def sort_unique(items):
    return sorted(set(items), key=utf16_key)


def docs(value):
    return keep(value, "summary", "markdown")


def ref(value):
    return keep(value, "schema")


def shape(value, plain=(), **special):
    """The listed members of a value: plain ones as they are, the others through their function."""
    out = keep(value, *plain)
    for name, of in special.items():
        if name in value:
            out[name] = of(value[name])
    return out


def _use(use):
    lists = {"rpc": ("call",), "operations": ("call",), "events": ("publish", "subscribe"), "feeds": ("subscribe",)}
    return shape(use, ("contract",), **{s: lambda v, n=n: keep(v, *n) for s, n in lists.items()})


def _rpc(rpc):
    out = shape(rpc, ("version", "subject"), input=ref, output=ref, docs=docs,
                errors=lambda v: [keep(e, "type") for e in v], transfer=lambda v: keep(v, "direction"))
    if "call" in rpc.get("capabilities", {}):
        out["capabilities"] = keep(rpc["capabilities"], "call")
    return out


def _operation(op):
    return shape(op, ("version", "subject", "cancel"), input=ref, output=ref, progress=ref, docs=docs,
                 transfer=lambda v: keep(v, "direction", "store", "key", "contentType", "metadata", "expiresInMs",
                                         "maxBytes"),
                 capabilities=lambda v: keep(v, "call", "observe", "cancel", "control"),
                 signals=lambda v: each(v, lambda s: shape(s, input=ref, docs=docs)))


def _event(event):
    return shape(event, ("version", "subject", "params"), event=ref, docs=docs,
                 capabilities=lambda v: keep(v, "publish", "subscribe"))


def _feed(feed):
    out = shape(feed, ("version", "subject"), input=ref, event=ref, docs=docs)
    if "subscribe" in feed.get("capabilities", {}):
        out["capabilities"] = keep(feed["capabilities"], "subscribe")
    return out


def _consumer(group):
    out = shape(group, ("ackWaitMs", "maxDeliver", "backoffMs"), docs=docs,
                uses=lambda v: each(v, sort_unique), self=sort_unique)
    for name, default in (("replay", "new"), ("ordering", "strict"), ("concurrency", 1)):
        out[name] = group.get(name, default)
    return out


def _job(job):
    return shape(job, ("maxDeliver", "backoffMs", "ackWaitMs", "defaultDeadlineMs", "progress", "logs", "dlq",
                       "concurrency"), payload=ref, result=ref, docs=docs)


def _state(store):
    return shape(store, ("kind", "stateVersion"), schema=ref, docs=docs,
                 acceptedVersions=lambda v: each(v, ref))


def _resources(resources):
    return shape(resources,
                 kv=lambda v: each(v, lambda r: shape(r, ("purpose", "required", "history", "ttlMs", "maxValueBytes"),
                                                      schema=ref, docs=docs)),
                 store=lambda v: each(v, lambda r: shape(r, ("purpose", "required", "ttlMs", "maxObjectBytes",
                                                             "maxTotalBytes"), docs=docs)))


def normalize(m):
    sections = {"rpc": _rpc, "operations": _operation, "events": _event, "feeds": _feed, "jobs": _job,
                "eventConsumers": _consumer, "state": _state,
                "errors": lambda e: shape(e, ("type",), schema=ref),
                "capabilities": lambda c: keep(c, "displayName", "description", "consequence")}
    out = keep(m, "format", "id", "displayName", "description", "kind", "schemas")
    for name, of in sections.items():
        if name in m:
            out[name] = each(m[name], of)
    return out | shape(m, docs=docs, exports=lambda v: keep(v, "schemas"), resources=_resources,
                       uses=lambda v: each(keep(v, "required", "optional"), lambda g: each(g, _use)))


def _first_errors(m):
    """The first declaration of each error type, in document order."""
    first = {}
    for key in document_order(m.get("errors", {})):
        first.setdefault(m["errors"][key]["type"], m["errors"][key])
    return first


def reachable(m):
    refs = []
    for store in m.get("state", {}).values():
        refs += [store["schema"], *store.get("acceptedVersions", {}).values()]
    first = _first_errors(m)
    for rpc in m.get("rpc", {}).values():
        refs += [rpc["input"], rpc["output"]]
        refs += [first[e["type"]]["schema"] for e in rpc.get("errors", []) if "schema" in first.get(e["type"], {})]
    for op in m.get("operations", {}).values():
        refs += [op[n] for n in ("input", "progress", "output") if n in op]
        refs += [s["input"] for s in op.get("signals", {}).values()]
    refs += [e["event"] for e in m.get("events", {}).values()]
    for feed in m.get("feeds", {}).values():
        refs += [feed["input"], feed["event"]]
    for job in m.get("jobs", {}).values():
        refs += [job[n] for n in ("payload", "result") if n in job]
    refs += [kv["schema"] for kv in m.get("resources", {}).get("kv", {}).values()]
    return {r["schema"] for r in refs}


def _lists_sorted(value):
    return each(value, sort_unique)


def _without_docs(value):
    return {n: v for n, v in value.items() if n != "docs"}


def _surface(entry):
    out = _without_docs(entry)
    if "capabilities" in out:
        out["capabilities"] = _lists_sorted(out["capabilities"])
    if "errors" in out:
        out["errors"] = [{"type": t} for t in sort_unique(e["type"] for e in out["errors"])]
    if "signals" in out:
        out["signals"] = each(out["signals"], _without_docs)
    return out


def _projected_use(use):
    out = {n: _lists_sorted(v) if n != "contract" else v for n, v in use.items()}
    return {n: v for n, v in out.items() if v != {}}


def _uses(uses):
    groups = {g: each(aliases, _projected_use) for g, aliases in uses.items()}
    if "optional" in groups and "required" in groups:
        groups["optional"] = {a: u for a, u in groups["optional"].items() if a not in groups["required"]}
        if not groups["optional"]:
            del groups["optional"]
    return groups


def project(n):
    out = keep(n, "format", "id", "kind", "capabilities")
    names = reachable(n)
    schemas = {k: v for k, v in n.get("schemas", {}).items() if k in names}
    listed = {e["type"] for rpc in n.get("rpc", {}).values() for e in rpc.get("errors", [])}
    errors = {k: e for k, e in n.get("errors", {}).items() if e["type"] in listed}
    uses = _uses(n.get("uses", {}))
    resources = {k: each(v, _without_docs) for k, v in n.get("resources", {}).items()}
    for name, value in (("schemas", schemas), ("errors", errors), ("uses", uses), ("resources", resources)):
        if value:
            out[name] = value
    for name in ("rpc", "operations", "events", "feeds"):
        if name in n:
            out[name] = each(n[name], _surface)
    for name in ("state", "jobs", "eventConsumers"):
        if name in n:
            out[name] = each(n[name], _without_docs)
    return out


def texts_of(manifest):
    """(normalized, projection, digest)"""
    normalized = normalize(manifest)
    projection = canonical(project(normalized))
    return canonical(normalized), projection, digest(projection)


def merge(left, right):
    """The union of two schemas, or None when they can't stand for one name."""
    if canonical(left) == canonical(right):
        return left
    for side in (left, right):
        if not isinstance(side, dict) or side.get("type") != "object":
            return None
        if set(side) - {"type", "properties", "required", "additionalProperties"}:
            return None
        if not isinstance(side.get("additionalProperties", True), bool):
            return None
        required = side.get("required", [])
        if not isinstance(required, list) or not all(isinstance(r, str) for r in required):
            return None
        if len(set(required)) != len(required) or not isinstance(side.get("properties", {}), dict):
            return None
    required = set(left.get("required", []))
    if required != set(right.get("required", [])):
        return None
    ours, theirs = left.get("properties", {}), right.get("properties", {})
    closed = any(side.get("additionalProperties") is False for side in (left, right))
    if closed and set(ours) != set(theirs):
        return None
    properties = {}
    for name in [*ours, *(n for n in theirs if n not in ours)]:
        if name in ours and name in theirs:
            properties[name] = merge(ours[name], theirs[name])
            if properties[name] is None:
                return None
        elif name in required:
            return None
        else:
            properties[name] = ours.get(name, theirs.get(name))
    return left | {"properties": properties}
