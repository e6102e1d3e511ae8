//! One request for each route of the platform.

use schemas::hash::{Hash, sha256};
use serde_json::json;

use crate::access_table::asks::{Asks, Body};
use crate::captures::{document, shipping};

/// A thing that `qinghe-erp` has declared something of.
const ITEM: &str = "/01/09521001000017/21/1";

/// What was made of an organisation, by the names of parameters.
pub struct Things {
    pub job: String,
    pub statement: String,
    pub quarantine: String,
    pub report: String,
    pub claim: String,
    pub document: Hash,
}

/// What is asked at each route but those of the kit.
pub fn requests(things: &Things) -> Asks {
    let mut asks = Asks::default();
    let never = "0".repeat(64);
    asks.plain(&[
        "/",
        "/organisation",
        "/v1/registry",
        "/v1/registry/organisations",
        "/v1/ca",
    ]);
    asks.plain(&[
        "/v1/policy",
        "/v1/policies",
        "/v1/policy.txt",
        "/v1/verifier",
        "/v1/totals",
    ]);
    asks.plain(&["/v1/tombstones", "/v1/chains", "/log/checkpoint"]);
    asks.plain(&["/health", "/health/live", "/health/ready"]);
    let Things {
        job,
        statement,
        quarantine,
        report,
        claim,
        document,
    } = things;
    let missing = "/capture/00000000000000000000000000000000";
    for rest in ["", "/document", "/events"] {
        let route = format!("GET /capture/{{id}}{rest}");
        let ask = asks.get_at(&route, &format!("{job}{rest}"));
        ask.never(format!("{missing}{rest}"));
    }
    let path = format!("/organisation/quarantine/{quarantine}");
    let ask = asks.get_at("GET /organisation/quarantine/{id}", &path);
    ask.never(format!("/organisation/quarantine/{never}"));
    for (route, path) in [
        ("GET /01/{*rest}", ITEM.to_owned()),
        (
            "GET /v1/bundles/item",
            "/v1/bundles/item?key=(01)09521001000017(21)1".to_owned(),
        ),
        ("GET /report", format!("/report?item={ITEM}")),
        ("GET /report/{number}", format!("/report/{report}")),
        ("GET /assets/{*name}", "/assets/icon.svg".to_owned()),
        (
            "GET /v1/inclusions/{id}",
            format!("/v1/inclusions/{statement}"),
        ),
        ("GET /v1/receipts/{id}", format!("/v1/receipts/{statement}")),
        (
            "GET /v1/head/{organisation}/{device}",
            "/v1/head/qinghe/line-1".to_owned(),
        ),
        ("GET /v1/enrol/{claim}", format!("/v1/enrol/{claim}")),
        (
            "GET /v1/registry/list/{version}",
            "/v1/registry/list/1".to_owned(),
        ),
        (
            "GET /v1/registry/records/{organisation}",
            "/v1/registry/records/qinghe".to_owned(),
        ),
        (
            "GET /v1/documents/{hash}",
            format!("/v1/documents/{document}"),
        ),
        (
            "GET /v1/evidence/{organisation}",
            "/v1/evidence/qinghe".to_owned(),
        ),
        // Nothing is erased here: what is no hash is answered as such to everybody.
        (
            "GET /v1/consents/{supplier}/{bank}",
            "/v1/consents/qinghe/bank".to_owned(),
        ),
        (
            "GET /v1/tombstones/{hash}",
            "/v1/tombstones/none".to_owned(),
        ),
        (
            "GET /v1/disclosure/{organisation}",
            "/v1/disclosure/qinghe".to_owned(),
        ),
        (
            "GET /v1/disclosure/{organisation}/{version}",
            "/v1/disclosure/qinghe/1".to_owned(),
        ),
        (
            "GET /v1/events?item",
            "/v1/events?item=(01)09521001000017(21)1".to_owned(),
        ),
        (
            "GET /v1/events?device",
            "/v1/events?device=qinghe/line-1".to_owned(),
        ),
        (
            "GET /v1/events?organisation",
            "/v1/events?organisation=qinghe".to_owned(),
        ),
        (
            "GET /v1/bundles/event/{statement}/{place}",
            format!("/v1/bundles/event/{statement}/0"),
        ),
        (
            "GET /v1/bundles/device/{organisation}/{device}",
            "/v1/bundles/device/qinghe/line-1".to_owned(),
        ),
        (
            "GET /v1/consistency/{from}/{to}",
            "/v1/consistency/1/2".to_owned(),
        ),
        ("OPTIONS /capture", "/capture".to_owned()),
    ] {
        asks.get_at(route, &path);
    }
    writes(&mut asks, things);
    asks
}

fn writes(asks: &mut Asks, things: &Things) {
    let Things { report, claim, .. } = things;
    let junk = || Body::Bytes("application/octet-stream", b"junk".to_vec());
    for path in [
        "/v1/statements",
        "/v1/enrol",
        "/v1/registry/records",
        "/v1/disclosure",
        "/v1/consents",
    ] {
        asks.add(&format!("POST {path}"), path, junk());
    }
    for step in ["draft", "consent"] {
        let route = format!("PUT /v1/enrol/{{claim}}/{step}");
        asks.add(
            &route,
            &format!("/v1/enrol/{claim}/{step}"),
            Body::Json(json!({})),
        );
    }
    let hash = sha256(b"a report of the bank");
    asks.add(
        "PUT /v1/documents/{hash}",
        &format!("/v1/documents/{hash}"),
        Body::Json(json!({"kind": "sandbox-report"})),
    );
    let document = document(&[shipping(2)]).to_string().into_bytes();
    asks.add(
        "POST /capture",
        "/capture",
        Body::Bytes("application/ld+json", document),
    );
    asks.add(
        "POST /report",
        "/report",
        Body::Open(vec![("text", "x".to_owned())]),
    );
    let path = format!("/report/{report}/forget");
    asks.add(
        "POST /report/{number}/forget",
        &path,
        Body::Open(Vec::new()),
    );
    // A version that is not the present one: what comes is no refusal of the person.
    let step = vec![
        ("number", report.replace(' ', "")),
        ("steps", "7".to_owned()),
        ("state", "read".to_owned()),
    ];
    asks.add(
        "POST /organisation/report",
        "/organisation/report",
        Body::Form(step),
    );
}
