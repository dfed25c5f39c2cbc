//! What time does to jobs: workers fall silent, pauses end, what is over goes.

use std::time::{Duration, Instant};

use super::Tasks;
use crate::app::App;
use crate::app::jobs::{JobError, Survey};
use crate::domain::job::{Concern, JobState};
use crate::domain::model::Hook;
use crate::observe::now;
use crate::observe::status::Reporter;

const EVERY: Duration = Duration::from_secs(1);

/// What passes between two ticks counts up to this. The rest nobody can be blamed for: this process was stopped, the machine
/// slept, or the disk made everybody wait.
const MOST: Duration = Duration::from_secs(2);

/// Ticks between two looks at the whole queue.
const LOOK: u32 = 5;

/// Ticks between two looks for what is past its time.
const TRIM: u32 = 3_600;

/// Starts it.
pub fn spawn(tasks: &mut Tasks, app: &App) {
    let status = app.board.reporter("jobs");
    let hook = (!app.config.promotion.hook.is_empty()).then(|| app.board.reporter("promotion-hook"));
    let app = app.clone();
    tasks.spawn("jobs", move |context| {
        let (app, status, hook) = (app.clone(), status.clone(), hook.clone());
        async move {
            let mut last = Instant::now();
            for tick in 0_u32.. {
                let (ticked, reporter, hook) = (app.clone(), status.clone(), hook.clone());
                let elapsed = std::mem::replace(&mut last, Instant::now()).elapsed();
                let work = move || once(&ticked, (&reporter, hook.as_ref()), tick, elapsed.min(MOST));
                match tokio::task::spawn_blocking(work).await? {
                    // A full disk passes, and its own line says what to do.
                    Err(JobError::Store(error)) if error.is_full() => {}
                    result => result?,
                }
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = context.stopping.asked() => break,
                }
            }
            Ok(())
        }
    });
}

fn once(
    app: &App,
    (status, hook): (&Reporter, Option<&Reporter>),
    tick: u32,
    elapsed: Duration,
) -> Result<(), JobError> {
    if let (0, Some(_)) = (tick, hook) {
        let adopted = app.jobs.adopt_hooks()?;
        if adopted > 0 {
            tracing::info!(adopted, "hooks that were due before there were jobs have one now");
        }
    }
    app.jobs.tick(elapsed, now())?;
    if tick.is_multiple_of(LOOK) {
        let survey = app.jobs.survey()?;
        for state in JobState::ALL {
            app.metrics.jobs.stand(state, survey.counts.of(state));
        }
        app.metrics.jobs.waiting.set(survey.wanting.into());
        app.metrics.jobs.workers.set(survey.workers as u64);
        report(status, &survey);
        if let Some(hook) = hook {
            report_hooks(hook, &app.store.failed_hooks()?);
        }
    }
    if tick.is_multiple_of(TRIM) {
        let removed = app.jobs.trim(now())?;
        if removed > 0 {
            tracing::info!(removed, "jobs that were past their time are removed");
        }
    }
    Ok(())
}

/// A hook that came to nothing: somebody still works with what was in production before.
fn report_hooks(status: &Reporter, failed: &[Hook]) {
    let Some(Hook { model, version, job, why, .. }) = failed.first() else {
        status.ok("every change of production was announced, or waits for its turn");
        return;
    };
    let (job, why) = (job.map_or_else(String::new, |job| format!(" ({job})")), why.as_deref().unwrap_or_default());
    let more = if failed.len() > 1 { format!("; and {} others", failed.len() - 1) } else { String::new() };
    status.warn(
        format!("the promotion hook for {model} {version}{job} came to nothing: {why}{more}"),
        "mend what it complains of, and retry the job; GET /api/hooks?state=failed lists them",
    );
}

fn report(status: &Reporter, survey: &Survey) {
    let of = |state| survey.counts.of(state);
    let held = of(JobState::Leased) + of(JobState::Running) + of(JobState::Lost);
    let pending = of(JobState::Pending);
    for (name, figure) in
        [("held", held), ("lost", of(JobState::Lost)), ("pending", pending), ("workers", survey.workers as u64)]
    {
        status.figure(name, figure);
    }
    let Some(gravest) = survey.concerns.first() else {
        status.ok(format!("{held} at work, {pending} waiting"));
        return;
    };
    let all: Vec<_> = survey.concerns.iter().map(Concern::summary).collect();
    status.warn(all.join("; "), gravest.remedy());
}
