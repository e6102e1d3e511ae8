//! The end of a process: SIGINT (Ctrl-C) and SIGTERM cancel a token that every component watches.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGINT or SIGTERM cancels. A second signal ends the process at once with
/// status 130, for the person who does not want to wait for the drain.
///
/// # Errors
/// When the operating system refuses to install a handler.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!("stopping: finishing what was accepted; a second signal ends at once");
        cancelled.cancel();
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(130);
    });
    Ok(token)
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
