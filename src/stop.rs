use tokio::sync::watch;

/// How far stopping has come. It only ever goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Nobody asked.
    #[default]
    Run,
    /// Take nothing new in, finish what is begun.
    Drain,
    /// Leave what is begun; the file survives it as it survives a crash.
    GiveUp,
}

/// The side that asks. Without any left, the other side takes it for [`Stop::Drain`]: nobody could ask any more.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<Stop>);

/// The side that is asked. Cheap to clone; threads ask, async code waits.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<Stop>);

/// A new signal, in state [`Stop::Run`].
pub fn signal() -> (Stopper, Stopping) {
    let (sender, receiver) = watch::channel(Stop::Run);
    (Stopper(sender), Stopping(receiver))
}

impl Stopper {
    /// Asks to come at least as far as `stop`.
    pub fn ask(&self, stop: Stop) {
        self.0.send_if_modified(|now| {
            let further = stop > *now;
            *now = stop.max(*now);
            further
        });
    }

    /// The other side.
    pub fn stopping(&self) -> Stopping {
        Stopping(self.0.subscribe())
    }
}

impl Stopping {
    /// How far it has come.
    pub fn now(&self) -> Stop {
        let now = *self.0.borrow();
        if self.0.has_changed().is_err() { now.max(Stop::Drain) } else { now }
    }

    /// Whether to take in nothing new.
    pub fn is_asked(&self) -> bool {
        self.now() >= Stop::Drain
    }

    /// Waits until it has come at least as far as `stop`. A lost asker counts as [`Stop::Drain`] and never as giving up.
    pub async fn reached(&self, stop: Stop) {
        let mut receiver = self.0.clone();
        let lost = receiver.wait_for(|now| *now >= stop).await.is_err();
        if lost && stop == Stop::GiveUp {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for [`Stop::Drain`] or worse.
    pub async fn asked(&self) {
        self.reached(Stop::Drain).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_only_goes_forward() {
        let (stopper, stopping) = signal();
        assert!(!stopping.is_asked());
        stopper.ask(Stop::GiveUp);
        stopper.ask(Stop::Drain);
        assert_eq!(stopping.now(), Stop::GiveUp);
        stopping.asked().await;
        stopping.reached(Stop::GiveUp).await;
    }

    #[tokio::test]
    async fn a_lost_asker_is_a_drain() {
        let (stopper, stopping) = signal();
        drop(stopper);
        assert_eq!(stopping.now(), Stop::Drain);
        stopping.asked().await;
    }
}
