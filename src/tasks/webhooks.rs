//! The webhooks as a task: whoever wants to know is told what is committed.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Tasks;
use crate::app::App;
use crate::observe::now;
use crate::observe::status::Reporter;

/// Starts it, where there is a webhook, or was one: those that are configured no more are tidied away.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    if app.webhooks.all().next().is_none() && app.store.webhooks().is_ok_and(|known| known.is_empty()) {
        return;
    }
    let reporters: Vec<Reporter> =
        app.webhooks.all().map(|webhook| app.board.reporter(&format!("webhook:{}", webhook.name))).collect();
    let (app, reporters) = (app.clone(), Arc::new(reporters));
    tasks.spawn("webhooks", move |context| {
        let (app, reporters) = (app.clone(), reporters.clone());
        async move {
            let (webhooks, store) = (app.webhooks.clone(), app.store.clone());
            tokio::task::spawn_blocking(move || webhooks.tidy(&store, now())).await??;
            let mut running = JoinSet::new();
            for (webhook, reporter) in app.webhooks.all().zip(reporters.iter()) {
                let (webhook, reporter, stopping) = (webhook.clone(), reporter.clone(), context.stopping.clone());
                running.spawn(async move { webhook.run(reporter, stopping).await });
            }
            // One that fails takes the others along: the driver starts all anew, each where it stood.
            while let Some(ended) = running.join_next().await {
                ended??;
            }
            Ok(())
        }
    });
}
