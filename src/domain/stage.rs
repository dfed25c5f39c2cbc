use super::event::EventRef;

/// A station on the path of a decision: the trading services in the order in which a signal passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Makes the signal.
    AiEngine,
    /// Makes a plan of it, or does not.
    Strategy,
    /// Lets it pass, or blocks it.
    Risk,
    /// Trades.
    Execution,
}

impl Stage {
    /// All stages, first to last.
    pub const ALL: [Self; 4] = [Self::AiEngine, Self::Strategy, Self::Risk, Self::Execution];

    /// The stage of an event's `source` (SPEC §4.1); none for services beside the path.
    pub fn of(source: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.source() == source)
    }

    /// The stage of an event.
    pub fn of_event(event: &EventRef<'_>) -> Option<Self> {
        Self::of(event.source)
    }

    /// The `source` that its events carry.
    pub fn source(self) -> &'static str {
        match self {
            Self::AiEngine => "ai_engine",
            Self::Strategy => "strategy",
            Self::Risk => "risk",
            Self::Execution => "execution",
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::AiEngine => "AI engine",
            Self::Strategy => "Strategy",
            Self::Risk => "Risk",
            Self::Execution => "Execution",
        }
    }

    /// Its place, from 0.
    pub fn index(self) -> usize {
        match self {
            Self::AiEngine => 0,
            Self::Strategy => 1,
            Self::Risk => 2,
            Self::Execution => 3,
        }
    }
}
