//! The OpenAPI 3.1 document of a list of routes: paths, parameters, who may, and how errors look.
//! Bodies are described where a service adds their schemas; a document without them is already
//! enough to know every route.

use serde_json::{Map, Value, json};

use super::{Entry, Table, Verdict};
use crate::problem::MEDIA_TYPE;

/// The document. `table` says per caller what must come; it stands at each operation as `x-access`.
/// Members are in the order of the list, so that the same list gives the same bytes.
#[must_use]
pub fn openapi(title: &str, version: &str, list: &[Entry], table: &Table) -> Value {
    let mut paths = Map::new();
    for entry in list {
        let place = paths.entry(entry.path).or_insert_with(|| json!({}));
        place[entry.method.as_str().to_ascii_lowercase()] = operation(entry, table);
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "responses": {"Problem": {
                "description": "What went wrong (RFC 9457)",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
            "schemas": {"Problem": {
                "type": "object",
                "required": ["type", "title", "status"],
                "properties": {
                    "type": {"type": "string", "format": "uri"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            }},
        },
    })
}

fn operation(entry: &Entry, table: &Table) -> Value {
    let name = entry.name();
    let mut access = Map::new();
    for caller in table.callers() {
        let verdict = table.verdict(&name, caller);
        access.insert(caller.clone(), json!(verdict.map_or("unknown", word)));
    }
    json!({
        "operationId": operation_id(entry),
        "summary": entry.summary,
        "parameters": parameters(entry.path),
        "responses": {
            "default": {"$ref": "#/components/responses/Problem"},
            "2XX": {"description": "Done"},
        },
        "x-access": access,
    })
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Yes => "yes",
        Verdict::LogIn => "log-in",
        Verdict::No => "no",
        Verdict::Hidden => "hidden",
        Verdict::Nothing => "-",
    }
}

/// `get-v1-decisions-by-id`: unique, since method and path are.
fn operation_id(entry: &Entry) -> String {
    let path = entry.path.replace('{', "by-");
    let words = path.split(['/', '}', '*', '.', '_']);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let method = entry.method.as_str().to_ascii_lowercase();
    [method.as_str()]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join("-")
}

fn parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.trim_start_matches('*'))
    });
    let parameter = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    names.map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    #[test]
    fn every_route_stands_in_it_with_who_may() {
        let text = "## s\n| route | stranger | officer |\n|---|---|---|\n| GET /v1/a/{id} | log-in | yes |\n";
        let table = Table::parse(text, "s").unwrap();
        let entry = |method| Entry {
            method,
            path: "/v1/a/{id}",
            summary: "Reads",
        };
        let list = [entry(Method::GET), entry(Method::POST)];
        let document = openapi("S", "1", &list, &table);
        let get = &document["paths"]["/v1/a/{id}"]["get"];
        assert_eq!(get["operationId"], "get-v1-a-by-id");
        assert_eq!(get["parameters"][0]["name"], "id");
        assert_eq!(
            get["x-access"],
            json!({"stranger": "log-in", "officer": "yes"})
        );
        let post = &document["paths"]["/v1/a/{id}"]["post"];
        assert_eq!(post["x-access"]["officer"], "unknown");
    }
}
