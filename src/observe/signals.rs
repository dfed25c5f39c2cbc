use std::io;

use tokio::signal::unix::{SignalKind, signal};

use crate::stop::{self, Stop, Stopping};

/// Listens for SIGTERM and SIGINT: the first asks for a drain, the second gives it up. Must be called in a runtime.
pub fn listen() -> io::Result<Stopping> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stopper, stopping) = stop::signal();
    tokio::spawn(async move {
        for (stop, what) in
            [(Stop::Drain, "finishing what is begun; once more gives that up"), (Stop::GiveUp, "giving up the drain")]
        {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tracing::info!("{name}: {what}");
            stopper.ask(stop);
        }
        // The signals stay caught from here on: a third one must not kill the process while it closes the file.
        std::future::pending::<()>().await;
    });
    Ok(stopping)
}
