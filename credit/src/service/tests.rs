mod consents;

use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;
use crate::evidence::{EvidencePack, Http, InProcess};
use crate::loan::Outcome;
use crate::store::{Sqlite, Store};
use crate::testing::*;

fn in_process(bundle: Vec<u8>) -> Arc<dyn EvidencePort> {
    Arc::new(InProcess::new(move |_| {
        let bundle = bundle.clone();
        Box::pin(async move { Ok(EvidencePack { bundle }) })
    }))
}

async fn over_http(bundle: Vec<u8>) -> Arc<dyn EvidencePort> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = move || async move { ([(header::CONTENT_TYPE, "application/json")], bundle) };
    let router = Router::new().route("/v1/evidence/qinghe", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Arc::new(Http::new(&base, Duration::from_secs(10), usize::MAX).unwrap())
}

async fn credit(
    world: &World,
    evidence: Arc<dyn EvidencePort>,
    now: Instant,
) -> (Credit, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("credit.sqlite"))
        .await
        .unwrap();
    store
        .declare(&limits(1, "5000.00", "9000.00"), at(0, 0))
        .await
        .unwrap();
    let terms = Terms {
        policy: world.trusted(),
        rules: Rules::default(),
        evidence_max_age: Duration::from_secs(24 * 3600),
        products: [(slug("receivable-90"), product())].into(),
        sandbox: slug("trial-1"),
        model: Model::built_in().unwrap(),
        consenting: Consenting::Waived("a test without signed consents".to_owned()),
    };
    (
        Credit::new(
            terms,
            Arc::new(store),
            evidence,
            Arc::new(StoppedClock(now)),
        ),
        folder,
    )
}

#[tokio::test]
async fn both_ports_lead_to_the_same_decision() {
    let mut world = journey(&COLD);
    let bundle = world.pack(at(23, 0));
    let (near, _keep) = credit(&world, in_process(bundle.clone()), at(24, 0)).await;
    let (far, _keep_too) = credit(&world, over_http(bundle).await, at(24, 0)).await;
    let near = near.apply(application("A-1", "4000.00")).await.unwrap();
    let far = far.apply(application("A-1", "4000.00")).await.unwrap();
    assert_eq!(near, far);
    assert!(matches!(near.decision.outcome, Outcome::Offer { amount } if amount.fen() == 400_000));
}

#[tokio::test]
async fn the_same_application_again_is_the_same_decision_and_reserves_once() {
    let mut world = journey(&COLD);
    let bundle = world.pack(at(23, 0));
    let bundle_kept = bundle.clone();
    let (credit, _keep) = credit(&world, in_process(bundle), at(24, 0)).await;
    let first = credit.apply(application("A-1", "4000.00")).await.unwrap();
    assert_eq!(
        credit.apply(application("A-1", "4000.00")).await.unwrap(),
        first
    );
    assert_eq!(credit.sandbox().await.unwrap().used.fen(), 400_000);
    first.explain(&Model::built_in().unwrap()).unwrap();
    let kept = credit.store().evidence(&first.evidence().unwrap()).await;
    assert_eq!(kept.unwrap(), Some(bundle_kept));
    let other = credit.apply(application("A-1", "4001.00")).await;
    assert!(matches!(other, Err(ApplyError::Conflict(_))));
}

#[tokio::test]
async fn tampered_evidence_is_refused_and_the_refusal_kept() {
    let mut world = journey(&COLD);
    let mut bundle = world.pack(at(23, 0));
    let place = bundle.len() / 2;
    bundle[place] = if bundle[place] == b'A' { b'B' } else { b'A' };
    let (credit, _keep) = credit(&world, in_process(bundle), at(24, 0)).await;
    let refused = credit.apply(application("A-1", "4000.00")).await;
    let Err(ApplyError::Refused(refused)) = refused else {
        panic!("{refused:?}")
    };
    let kept = credit
        .store()
        .refusals(&"A-1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!((kept.len(), &kept[0].class), (1, &refused.class));
    assert_eq!(credit.store().list(0, 10).await.unwrap().len(), 0);
    assert_eq!(credit.sandbox().await.unwrap().used.fen(), 0);
}

#[tokio::test]
async fn an_old_checkpoint_is_refused() {
    let mut world = journey(&COLD);
    let bundle = world.pack(at(23, 0));
    let (credit, _keep) = credit(&world, in_process(bundle), at(48, 0)).await;
    let refused = credit.apply(application("A-1", "4000.00")).await;
    assert!(matches!(refused, Err(ApplyError::Refused(refused)) if refused.class == "stale"));
}

#[tokio::test]
async fn no_evidence_leaves_no_decision() {
    let world = journey(&COLD);
    let nobody = InProcess::new(|organisation| {
        Box::pin(async move { Err(EvidenceError::Unknown(organisation)) })
    });
    let (credit, _keep) = credit(&world, Arc::new(nobody), at(24, 0)).await;
    let refused = credit.apply(application("A-1", "4000.00")).await;
    assert!(matches!(
        refused,
        Err(ApplyError::Evidence(EvidenceError::Unknown(_)))
    ));
    assert_eq!(
        credit
            .store()
            .of_application(&"A-1".parse().unwrap())
            .await
            .unwrap(),
        None
    );
    let kept = credit.store().undecided(10).await.unwrap();
    assert_eq!((kept.len(), kept[0].class.as_str()), (1, NOT_PERMITTED));
}

#[tokio::test]
async fn an_unknown_product_and_too_small_an_amount_are_refused() {
    let world = journey(&COLD);
    let (credit, _keep) = credit(&world, in_process(Vec::new()), at(24, 0)).await;
    let mut unknown = application("A-1", "4000.00");
    unknown.product = slug("overdraft");
    let refused = credit.apply(unknown).await;
    let product = |error: &ApplicationError| matches!(error, ApplicationError::Product(_));
    assert!(matches!(refused, Err(ApplyError::Application(error)) if product(&error)));
    let small = |error: &ApplicationError| matches!(error, ApplicationError::BelowMinimum(_));
    let refused = credit.apply(application("A-1", "99.99")).await;
    assert!(matches!(refused, Err(ApplyError::Application(error)) if small(&error)));
}
