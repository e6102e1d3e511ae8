//! The tasks of sources: how they begin, and how they are asked for what they have.

use std::sync::Arc;

use schemas::time::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, SensorRule, SourceConfig};
use crate::outbox::Outbox;
use crate::source::{self, Board, CatchUp, SourceContext};

pub(crate) fn rules(config: &Config) -> Vec<SensorRule> {
    let rules = config.sources.iter().flat_map(SourceConfig::rules);
    rules.cloned().collect()
}

/// Makes sources hand on what they have; durable when this returns.
pub(crate) async fn settle(sources: &[mpsc::Sender<CatchUp>]) {
    for source in sources {
        let (done, answer) = oneshot::channel();
        if source.send(done).await.is_ok() {
            // A source that ends instead has nothing more to hand on.
            let _ = answer.await;
        }
    }
}

/// Tasks, and for each source how it is asked and how it is.
pub(crate) struct Started {
    pub tasks: Vec<JoinHandle<()>>,
    pub catch_up: Vec<mpsc::Sender<CatchUp>>,
    pub boards: Vec<Board>,
}

pub(crate) fn start_sources(
    config: &Config,
    outbox: &Outbox,
    clock: &Arc<dyn Clock>,
    shutdown: &CancellationToken,
) -> Started {
    let mut started = Started {
        tasks: Vec::new(),
        catch_up: Vec::new(),
        boards: Vec::new(),
    };
    for (settings, source) in config.sources.iter().zip(source::build(config)) {
        let (ask, catch_up) = mpsc::channel(1);
        let board = Board::new(settings.name(), settings.kind());
        let context = SourceContext {
            outbox: outbox.clone(),
            clock: clock.clone(),
            started: clock.now(),
            shutdown: shutdown.clone(),
            catch_up,
            board: board.clone(),
        };
        started.tasks.push(tokio::spawn(source.run(context)));
        started.catch_up.push(ask);
        started.boards.push(board);
    }
    started
}
