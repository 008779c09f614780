"""Prepares the OpenAPI description for the documentation page: operations with flat lists of fields and an example."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sms_service.web.schemas import MAX_ID

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 4  # levels of nested objects that are shown, since segments' rules may nest without end
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
    "default": "by default {}",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter or field. `name` is its path, such as `roles[].unit_id`; `bounds` are words like `at least 1`."""

    name: str
    type: str
    required: bool
    description: str
    bounds: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route. `sections` are (title, fields): what to send and what is answered."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    permission: str
    sections: tuple[tuple[str, tuple[Field, ...]], ...]
    status: str
    example: str


@dataclass(frozen=True, slots=True)
class Resource:
    """The operations under one tag."""

    name: str
    description: str
    operations: tuple[Operation, ...]


def resources(spec: Mapping[str, Any], base_url: str) -> tuple[Resource, ...]:
    """What the page shows of the OpenAPI 3 description `spec`; the examples call `base_url`."""
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in spec.get("tags", ())}
    for path, item in spec["paths"].items():
        for method in METHODS:
            if method in item:
                shared = item.get("parameters", [])
                found[item[method]["tags"][0]].append(_operation(spec, path, method, item[method], shared, base_url))
    descriptions = {tag["name"]: tag.get("description", "") for tag in spec.get("tags", ())}
    return tuple(Resource(name, descriptions[name], tuple(operations)) for name, operations in found.items())


def _operation(
    spec: Mapping[str, Any],
    path: str,
    method: str,
    operation: Mapping[str, Any],
    shared: list[dict[str, Any]],
    base_url: str,
) -> Operation:
    parameters = [*shared, *operation.get("parameters", [])]
    sections = []
    for place, title in (("path", "In the address"), ("query", "Query"), ("header", "Headers")):
        fields = tuple(
            _field(spec, parameter["name"], parameter.get("schema", {}), parameter, bool(parameter.get("required")))
            for parameter in parameters
            if parameter["in"] == place
        )
        if fields:
            sections.append((title, fields))
    body_type, body = _content(operation.get("requestBody", {}))
    if body is not None:
        sections.append((f"Body, {body_type}", tuple(_fields(spec, body))))
    status = next((code for code in sorted(operation["responses"]) if code.startswith("2")), "200")
    answer_type, answer = _content(operation["responses"].get(status, {}))
    if answer is not None and (fields := tuple(_fields(spec, answer))):
        sections.append((f"Answer {status}, {answer_type}", fields))
    return Operation(
        anchor=f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        permission=operation.get("x-permission", ""),
        sections=tuple(sections),
        status=status,
        example=_curl(spec, path, method, operation, body_type, body, base_url),
    )


def _content(holder: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    for media_type, content in holder.get("content", {}).items():
        return media_type, content.get("schema")
    return "", None


def _fields(spec: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[Field]:
    schema = _resolved(spec, schema)
    required = schema.get("required", [])
    for name, property_ in schema.get("properties", {}).items():
        inner = _resolved(spec, property_)
        yield _field(spec, prefix + name, inner, inner, name in required)
        step = f"{prefix}{name}."
        if inner.get("type") == "array":
            inner, step = _resolved(spec, inner.get("items", {})), f"{prefix}{name}[]."
        if depth < DEEPEST and "properties" in inner:
            yield from _fields(spec, inner, step, depth + 1)


def _field(
    spec: Mapping[str, Any], name: str, schema: Mapping[str, Any], described: Mapping[str, Any], required: bool
) -> Field:
    schema = _resolved(spec, schema)
    bounds = [
        words.format(f"{schema[key]:,}" if type(schema[key]) is int else schema[key])
        for key, words in _BOUNDS.items()
        if schema.get(key) not in (None, MAX_ID)
    ]
    if choices := [choice for choice in schema.get("enum", ()) if choice is not None]:
        bounds.insert(0, "one of " + ", ".join(map(str, choices)))
    meaning = described.get("description") or (
        f"The {name.removesuffix('_id')}'s id" if described.get("in") == "path" and name.endswith("_id") else ""
    )
    return Field(name, _type(spec, schema), required, meaning, "; ".join(bounds))


def _type(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(spec, _resolved(spec, schema.get('items', {})))}"
    words = {"date-time": "time", "binary": "file", "date": "date"}.get(str(schema.get("format")), kind)
    return f"{words} or null" if schema.get("nullable") else words


def _resolved(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself instead of a reference to it; anything beside the reference, such as a description, stays."""
    if "allOf" in schema and len(schema["allOf"]) == 1:
        beside = {key: value for key, value in schema.items() if key != "allOf"}
        return {**_resolved(spec, schema["allOf"][0]), **beside}
    if "$ref" not in schema:
        return schema
    return _resolved(spec, spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]])


def _curl(
    spec: Mapping[str, Any],
    path: str,
    method: str,
    operation: Mapping[str, Any],
    body_type: str,
    body: Mapping[str, Any] | None,
    base_url: str,
) -> str:
    for name in ("{" + part.split("}")[0] + "}" for part in path.split("{")[1:]):
        path = path.replace(name, "1")
    by_password = {"password": []} in operation.get("security", [])
    lines = ["curl -u login:password" if by_password else 'curl -H "Authorization: Bearer $TOKEN"']
    if method != "get":
        lines[0] += f" -X {method.upper()}"
    if method == "post":
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if body is not None and body_type == "application/json":
        lines.append("-H 'Content-Type: application/json'")
        sample = json.dumps(_sample(spec, body, required_only=method == "post"), ensure_ascii=False)
        lines.append(f"-d {shlex.quote(sample)}")
    elif body is not None:
        sample_form = _sample(spec, body, required_only=True)
        lines += [f"-F {name}={shlex.quote(str(value))}" for name, value in sample_form.items()]
    lines.append(base_url + path)
    return " \\\n  ".join(lines)


def _sample(spec: Mapping[str, Any], schema: Mapping[str, Any], required_only: bool = False, depth: int = 0) -> Any:
    schema = _resolved(spec, schema)
    if "example" in schema:
        return schema["example"]
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            required = schema.get("required", [])
            wanted = {
                name: inner
                for name, inner in schema.get("properties", {}).items()
                if not required_only or name in required
            }
            return {name: _sample(spec, inner, required_only, depth + 1) for name, inner in wanted.items()}
        case "array":
            return [_sample(spec, schema.get("items", {}), required_only, depth + 1)] if depth < DEEPEST else []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    match schema.get("format"):
        case "date-time":
            return "2030-05-01T09:00:00+08:00"
        case "binary":
            return "@file.xlsx"
        case "password":
            return "correct horse battery"
    return "…"
