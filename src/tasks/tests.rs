use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::observe::status::{Component, State};

const LONG: Duration = Duration::from_secs(60);

fn tasks(board: &StatusBoard) -> Tasks {
    let backoff =
        Backoff { first: Duration::from_millis(1), most: Duration::from_millis(4), settled: Duration::from_millis(1) };
    Tasks::new(board.clone()).with_backoff(backoff)
}

async fn until(board: &StatusBoard, name: &str, wanted: impl Fn(&Component) -> bool) -> Component {
    let found = async {
        loop {
            if let Some(found) = board.all().into_iter().find(|c| c.name == name && wanted(c)) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, found).await.expect("the board never showed it")
}

#[tokio::test]
async fn an_error_and_a_panic_start_it_again() {
    let board = StatusBoard::new();
    let mut tasks = tasks(&board);
    let starts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&starts);
    tasks.spawn("reader", move |context| {
        let start = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match start {
                0 => anyhow::bail!("no journal"),
                1 => panic!("a bug"),
                _ => context.stopping.asked().await,
            }
            Ok(())
        }
    });
    let shown = until(&board, "task:reader", |c| c.restarts == 2 && c.state == State::Ok).await;
    assert_eq!(shown.last_error.unwrap().text, "panicked: a bug");
    let (_stopper, stopping) = stop::signal();
    assert_eq!(tasks.drain(LONG, &stopping).await, Drained::default());
    assert_eq!(starts.load(Ordering::SeqCst), 3);
    until(&board, "task:reader", |c| c.state == State::Off && c.summary == "stopped").await;
}

#[tokio::test]
async fn a_thread_keeps_what_it_owns_over_a_panic() {
    let board = StatusBoard::new();
    let mut tasks = tasks(&board);
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut seen = Vec::new();
    let (report, reported) = std::sync::mpsc::channel();
    for number in 0..4 {
        sender.send(number).unwrap();
    }
    drop(sender);
    tasks.spawn_thread("writer", move |_| {
        while let Ok(number) = receiver.recv() {
            seen.push(number);
            assert!(number != 1, "one");
        }
        report.send(seen.clone())?;
        Ok(())
    });
    let shown = until(&board, "task:writer", |c| c.state == State::Off).await;
    assert_eq!((shown.restarts, shown.summary.as_str()), (1, "finished"));
    assert_eq!(reported.recv().unwrap(), [0, 1, 2, 3]);
}

#[tokio::test]
async fn they_stop_in_order() {
    let board = StatusBoard::new();
    let mut tasks = tasks(&board);
    let order = Arc::new(Mutex::new(Vec::new()));
    for name in ["source", "writer", "mirror"] {
        let order = Arc::clone(&order);
        tasks.spawn(name, move |context| {
            let order = Arc::clone(&order);
            async move {
                context.stopping.asked().await;
                tokio::task::yield_now().await;
                order.lock().unwrap().push(name);
                Ok(())
            }
        });
    }
    let (_stopper, stopping) = stop::signal();
    assert_eq!(tasks.drain(LONG, &stopping).await.late, Vec::<String>::new());
    assert_eq!(*order.lock().unwrap(), ["source", "writer", "mirror"]);
}

#[tokio::test]
async fn a_drain_can_be_given_up() {
    let board = StatusBoard::new();
    let mut tasks = tasks(&board);
    tasks.spawn("stuck", |_| std::future::pending());
    let (stopper, stopping) = stop::signal();
    stopper.ask(Stop::GiveUp);
    assert_eq!(tasks.drain(LONG, &stopping).await.late, ["stuck"]);
}

#[tokio::test]
async fn a_drain_has_a_deadline() {
    let board = StatusBoard::new();
    let mut tasks = tasks(&board);
    tasks.spawn("stuck", |_| std::future::pending());
    tasks.spawn("fine", |context| async move {
        context.stopping.asked().await;
        Ok(())
    });
    let (_stopper, stopping) = stop::signal();
    let drained = tasks.drain(Duration::from_millis(20), &stopping).await;
    assert_eq!(drained.late.first().map(String::as_str), Some("stuck"));
}
