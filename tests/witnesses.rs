//! Witnesses that are down, and what the log does meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use platform::anchor::Cosigner;
use platform::bundle::Choice;
use platform::store::LogStore as _;
use schemas::tlog::LogTree;
use tokio_util::sync::CancellationToken;

use crate::world::World;
use crate::world::events::commissioned;

/// In front of a witness: passes on while it is open.
#[derive(Clone)]
struct Gate {
    upstream: String,
    open: Arc<AtomicBool>,
}

async fn pass(State(gate): State<Gate>, body: Bytes) -> Response {
    if !gate.open.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let url = format!("{}/add-checkpoint", gate.upstream);
    let answer = reqwest::Client::new().post(url).body(body).send().await;
    let answer = answer.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    (status, answer.bytes().await.unwrap()).into_response()
}

/// The log's size, the size that is witnessed, and how many witnesses did not cosign.
async fn standing(world: &World) -> (u64, u64, usize) {
    let size = world.notary.tree.read(LogTree::size);
    let newest = world.store.newest_checkpoint().await.unwrap().unwrap();
    let states = world.notary.cosigner.states();
    let down = states.iter().filter(|state| !state.problem.is_empty());
    (size, newest.size, down.count())
}

#[tokio::test]
async fn two_witnesses_down_hold_up_what_is_new_and_nothing_else() {
    let mut world = World::with_line_1().await;
    let shutdown = CancellationToken::new();
    let mut sections = world.witnesses.sections();
    let mut gates = Vec::new();
    for section in sections.iter_mut().take(2) {
        let gate = Gate {
            upstream: section.url.clone(),
            open: Arc::new(AtomicBool::new(true)),
        };
        let router = Router::new()
            .route("/add-checkpoint", post(pass))
            .with_state(gate.clone());
        let listen = ([127, 0, 0, 1], 0).into();
        let served = kit::serve::serve(router, listen, None, shutdown.clone()).await;
        section.url = served.unwrap().url();
        gates.push(gate.open);
    }
    let cosigner = Cosigner::new(sections).unwrap().with_quorum(3);
    world.notary.cosigner = Arc::new(cosigner);
    let before = world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;

    // One down: the log goes on.
    gates[0].store(false, Ordering::SeqCst);
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    let (size, witnessed, down) = standing(&world).await;
    assert_eq!((witnessed, down), (size, 1));

    // Two down: what is new waits, what was there still verifies, and the state says so.
    gates[1].store(false, Ordering::SeqCst);
    let after = world.send("qinghe/line-1", &[commissioned()]).await;
    world.notary.turn().await.unwrap();
    let (grown, still, down) = standing(&world).await;
    assert!(grown > size);
    assert_eq!((still, down), (witnessed, 2));
    assert!(world.verify(&world.bundle(&[before.id()]).await).is_ok());
    let mut choice = Choice::default();
    choice.add_statement(after.id());
    assert!(world.bundler().make(&choice, |_| false).await.is_err());

    // Both back: the next round catches up, without a restart.
    gates
        .iter()
        .for_each(|gate| gate.store(true, Ordering::SeqCst));
    world.anchor().await;
    let (size, witnessed, down) = standing(&world).await;
    // Three are enough; the fourth may have come a moment too late.
    assert!(witnessed == size && down <= 1);
    assert!(world.verify(&world.bundle(&[after.id()]).await).is_ok());
    shutdown.cancel();
}
