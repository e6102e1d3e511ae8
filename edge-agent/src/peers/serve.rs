//! `GET /seen`: the newest witnessed checkpoint, for other gateways.

use std::sync::Arc;

use async_trait::async_trait;

use super::Checkpoints;
use crate::serve::{Answer, Answers, Request};

/// Answers from what this gateway has seen.
pub(super) struct Seen(pub(super) Arc<dyn Checkpoints>);

#[async_trait]
impl Answers for Seen {
    async fn answer(&self, request: &Request) -> Answer {
        if request.path != "/seen" {
            return Answer::text("404 Not Found", "only GET /seen\n");
        }
        match self.0.newest().await {
            Some(note) => Answer::text("200 OK", note),
            None => Answer::text("404 Not Found", "nothing seen yet\n"),
        }
    }
}
