//! One journalctl child from its start to its end: read, deliver, know whether the end of the journal is reached, and
//! notice a child that hangs or prints rubbish and a journal that is vacuumed before it was read.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::process::ChildStdout;
use std::time::{Duration, Instant};

use super::export::{Item, Parser};
use super::intake::Intake;
use super::journalctl::{Among, Failure};
use super::place::{Place, Surveyor};
use super::reader::Timing;
use super::sequence::Sequence;
use crate::domain::feed::{Delivery, Gap, GapCause, Position, Progress};
use crate::observe::status::Reporter;
use crate::process::ChildProcess;

/// So much in one read means that the child is not waiting for new entries.
const LARGE_READ: usize = 512 << 10;

/// A read smaller than this, while catching up, is followed by a short pause: journalctl writes 4 KiB at a time, and to
/// wake up for each costs both sides more than the work itself.
const SMALL_READ: usize = 256 << 10;
const GATHER: Duration = Duration::from_millis(5);

/// At the end of the journal, lines that are written together are taken together: a burst comes in many small writes.
const GATHER_TAIL: Duration = Duration::from_millis(20);

/// While catching up, nothing waits longer than this for a fuller delivery.
const DELIVER_WITHIN: Duration = Duration::from_millis(100);

/// A child that printed so much that is no entry is not journalctl.
const RUBBISH_BYTES: u64 = 64 << 10;

/// How a child's life ended.
pub(super) enum End {
    /// We were asked to stop, or nobody takes deliveries any more.
    Stopped,
    /// It passed over an entry: it is to be started again, at the last one before that.
    PassedOver,
    /// It did not do its work.
    Failed(Failure),
}

/// Where entries were passed over, and how often in a row.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    at: Option<Position>,
    times: u32,
}

impl PassedOver {
    /// Children that pass over the same entry until it counts as unreadable.
    const TRIES: u32 = 3;

    /// Notes it once more. Whether another child is to try.
    fn again(&mut self, at: &Position) -> bool {
        if self.at.as_ref() == Some(at) {
            self.times += 1;
        } else {
            (self.at, self.times) = (Some(at.clone()), 1);
        }
        self.times <= Self::TRIES
    }
}

/// What taking in a buffer came to.
enum Taken {
    All,
    Stopped,
    PassedOver,
}

pub(super) struct Follow<'a> {
    surveyor: Surveyor<'a>,
    intake: &'a mut Intake,
    reporter: &'a Reporter,
    timing: Timing,
    garbled_at: &'a mut Option<Option<Position>>,
    passed_over: &'a mut PassedOver,
    sequence: Sequence,
    deliver: &'a mut dyn FnMut(Delivery) -> ControlFlow<()>,
    child: ChildProcess,
    stdout: ChildStdout,
    parser: Parser,
    /// The entry that is dropped if it is the first one read.
    first: Option<Position>,
    /// Whether that entry must come.
    certain: bool,
    caught_up: bool,
    /// When this entry has been read, we have caught up.
    target: Option<Position>,
    /// The newest entry read of which it is known that the journal had it after that: up to it, nothing was lost.
    verified: Option<Position>,
    verified_when: Instant,
    delivered: Instant,
    bytes_when: Instant,
    /// The next time at which silence makes us ask.
    ask_when: Instant,
    ask_pause: Duration,
    /// Since when there is something to read that the child does not print.
    owing_since: Option<Instant>,
    garbled_since: Option<Position>,
    garbled: bool,
}

impl<'a> Follow<'a> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn start(
        surveyor: Surveyor<'a>,
        place: Place,
        intake: &'a mut Intake,
        reporter: &'a Reporter,
        timing: Timing,
        garbled_at: &'a mut Option<Option<Position>>,
        passed_over: &'a mut PassedOver,
        deliver: &'a mut dyn FnMut(Delivery) -> ControlFlow<()>,
    ) -> Result<Self, Failure> {
        let (child, stdout) = surveyor.journalctl.follow(place.from.as_ref().map(|from| from.cursor.as_str()))?;
        if let Some(gap) = place.gap {
            tracing::warn!("{}", gap.message());
            intake.gap(gap);
        }
        if let Some(from) = place.from.as_ref().filter(|_| place.taken)
            && intake.position().as_ref() != Some(from)
        {
            intake.stand(from.cursor.as_bytes(), from.ts);
        }
        let now = Instant::now();
        Ok(Self {
            surveyor,
            intake,
            reporter,
            timing,
            garbled_at,
            passed_over,
            sequence: Sequence::after(place.from.as_ref().filter(|_| place.taken).map(|from| from.cursor.as_str())),
            deliver,
            child,
            stdout,
            parser: Parser::new(),
            verified: place.from.clone(),
            first: place.from.filter(|_| place.taken),
            certain: place.certain,
            caught_up: false,
            target: None,
            verified_when: now,
            delivered: now,
            bytes_when: now,
            ask_when: now + timing.quiet,
            ask_pause: timing.quiet,
            owing_since: None,
            garbled_since: None,
            garbled: false,
        })
    }

    pub(super) fn run(mut self) -> Result<End, Failure> {
        loop {
            if self.surveyor.stop.is_set() {
                return Ok(End::Stopped);
            }
            let readable = self
                .surveyor
                .stop
                .wait_readable(self.stdout.as_fd(), self.patience())
                .map_err(|error| self.surveyor.journalctl.broken(&error))?;
            if readable && self.caught_up {
                self.surveyor.stop.sleep(GATHER_TAIL);
            }
            let stopped = if readable { self.read()? } else { self.silence()? };
            if let ControlFlow::Break(end) = stopped {
                return Ok(end);
            }
        }
    }

    /// How long to wait for bytes before there is something else to do.
    fn patience(&self) -> Duration {
        let now = Instant::now();
        let mut until = self.ask_when.min(self.delivered + self.timing.tick);
        if !self.caught_up && self.intake.has_events() {
            until = until.min(self.delivered + DELIVER_WITHIN);
        }
        until.saturating_duration_since(now)
    }

    fn read(&mut self) -> Result<ControlFlow<End>, Failure> {
        let count = match self.stdout.read(self.parser.space()) {
            Ok(0) => return self.ended(),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(ControlFlow::Continue(())),
            Err(error) => return Err(self.surveyor.journalctl.broken(&error)),
        };
        self.bytes_when = Instant::now();
        self.owing_since = None;
        self.ask_pause = self.timing.quiet;
        if self.caught_up && count >= LARGE_READ {
            self.fall_behind();
        }
        self.parser.filled(count);
        match self.parse()? {
            Taken::All => {}
            Taken::Stopped => return Ok(ControlFlow::Break(End::Stopped)),
            Taken::PassedOver => return Ok(ControlFlow::Break(End::PassedOver)),
        }
        if self.parser.garbage() > RUBBISH_BYTES {
            return Err(rubbish());
        }
        self.ask_when = self.bytes_when + if self.caught_up { self.timing.idle_probe } else { self.timing.quiet };
        if self.caught_up {
            // A position without an event can wait for the tick: others may write much that is not ours.
            return if self.intake.has_events() { self.flush() } else { self.tick() };
        }
        if self.bytes_when.duration_since(self.verified_when) >= self.timing.vacuum_check {
            self.check_vacuum(false)?;
        }
        if self.bytes_when.duration_since(self.delivered) >= DELIVER_WITHIN {
            return self.flush();
        }
        if count < SMALL_READ {
            self.surveyor.stop.sleep(GATHER);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes in all entries in the buffer.
    fn parse(&mut self) -> Result<Taken, Failure> {
        loop {
            let entry = match self.parser.next() {
                None => return Ok(Taken::All),
                Some(Item::Garbled(bytes)) => {
                    self.garble(bytes)?;
                    continue;
                }
                Some(Item::Entry(entry)) => entry,
            };
            let first = self.first.take();
            if let Some(first) = first {
                if first.cursor.as_bytes() == entry.cursor() {
                    continue;
                }
                if self.certain {
                    // It was there a moment ago. What happened to it is found out at the next start, which is at once.
                    return Err(Failure {
                        summary: "the entry to go on from vanished while journalctl started".into(),
                        remedy: "it is started again by itself".into(),
                    });
                }
            }
            if self.sequence.leaps_to(entry.cursor())
                && !self.garbled
                && let Some(last) = self.intake.position()
            {
                let next = self.surveyor.next(&last)?;
                if next.is_none_or(|next| next.as_bytes() == entry.cursor()) {
                    self.sequence.is_real();
                } else if self.passed_over.again(&last) {
                    return Ok(Taken::PassedOver);
                } else {
                    let (since, until) = (Some(last.ts), crate::domain::time::Micros(entry.realtime()));
                    self.intake.gap(Gap { cause: GapCause::Garbled, since, until, unit: None, lost: None });
                }
            }
            if self.garbled {
                self.garbled = false;
                let since = self.garbled_since.take().map(|position| position.ts);
                let until = crate::domain::time::Micros(entry.realtime());
                self.intake.gap(Gap { cause: GapCause::Garbled, since, until, unit: None, lost: None });
            }
            if !self.intake.take(&entry) {
                let intake = &mut *self.intake;
                if !self.surveyor.again(entry.cursor(), &mut |entry| intake.take(entry))? {
                    intake.take_anyway(&entry);
                }
            }
            if self.target.as_ref().is_some_and(|target| target.cursor.as_bytes() == entry.cursor()) {
                self.target = None;
                self.caught_up = true;
            }
            if self.verified.is_none() {
                self.verified = self.intake.position();
            }
            if self.intake.is_full() && self.flush_with(self.until()).is_break() {
                return Ok(Taken::Stopped);
            }
        }
    }

    /// Bytes were no entry. The first time, a new child reads them again from the last good entry; if that one prints
    /// the same, they are passed over and recorded.
    fn garble(&mut self, bytes: u64) -> Result<(), Failure> {
        let position = self.intake.position();
        if self.garbled_at.as_ref() != Some(&position) {
            *self.garbled_at = Some(position);
            return Err(rubbish());
        }
        tracing::warn!(bytes, "journalctl printed what is no export format; it was passed over");
        (self.garbled_since, self.garbled) = (position, true);
        Ok(())
    }

    /// No bytes came.
    fn silence(&mut self) -> Result<ControlFlow<End>, Failure> {
        // Before asking, which starts processes and may take its time.
        if !self.caught_up && self.intake.has_events() && self.flush()?.is_break() {
            return Ok(ControlFlow::Break(End::Stopped));
        }
        let now = Instant::now();
        if now >= self.ask_when {
            if self.parser.garbage() > 0 {
                return Err(rubbish());
            }
            let was_behind = !self.caught_up;
            self.ask(now)?;
            if was_behind && self.caught_up {
                return self.flush();
            }
        }
        self.tick()
    }

    /// Asks the journal itself whether there is more to read than the child printed.
    fn ask(&mut self, now: Instant) -> Result<(), Failure> {
        let last = self.last();
        if self.surveyor.after(last.as_ref())?.is_none() {
            if !self.caught_up {
                self.check_vacuum(true)?;
                self.caught_up = true;
            }
            self.target = None;
            self.owing_since = None;
            self.ask_when = now + self.timing.idle_probe;
            return Ok(());
        }
        if self.caught_up {
            self.fall_behind();
        }
        let owing_since = *self.owing_since.get_or_insert(now);
        if now.duration_since(owing_since) >= self.timing.hang {
            return Err(Failure {
                summary: format!(
                    "journalctl hangs: silent for {} s although the journal has more",
                    now.duration_since(self.bytes_when).as_secs()
                ),
                remedy: "it is started again by itself; if it happens often, look at the disk that holds the journal"
                    .into(),
            });
        }
        // Where lines come all the time, "nothing is left to read" is never true: what was the end just now is enough.
        self.target = self.surveyor.newest(Among::Matching)?;
        self.ask_when = Instant::now() + self.ask_pause;
        self.ask_pause = (self.ask_pause * 2).min(self.timing.hang / 4);
        Ok(())
    }

    /// The last entry that the child printed, or the one it started with.
    fn last(&self) -> Option<Position> {
        self.intake.position()
    }

    fn fall_behind(&mut self) {
        self.caught_up = false;
        self.target = None;
        self.verified = self.last();
        self.verified_when = Instant::now();
    }

    /// Looks whether vacuuming took entries that we had not read yet: journalctl then goes on with the next file without
    /// a word. As long as the journal still has an entry that we read earlier, it has all that came after it. If not,
    /// entries before the oldest one left may be lost; `at_end` or when that oldest one was read, the gap is complete.
    fn check_vacuum(&mut self, at_end: bool) -> Result<(), Failure> {
        self.verified_when = Instant::now();
        let last = self.last();
        if self.verified == last {
            return Ok(());
        }
        let (Some(verified), Some(last)) = (&self.verified, last) else { return Ok(()) };
        if !self.surveyor.has(&verified.cursor, Among::All)? {
            if !at_end && !self.surveyor.has(&last.cursor, Among::All)? {
                return Ok(());
            }
            let (since, until) = (Some(verified.ts), last.ts);
            let gap = Gap { cause: GapCause::Vacuumed, since, until, unit: None, lost: None };
            tracing::warn!("{}", gap.message());
            self.intake.gap(gap);
        }
        self.verified = Some(last);
        Ok(())
    }

    fn ended(&mut self) -> Result<ControlFlow<End>, Failure> {
        // Its standard output is closed, so it is over or as good as that.
        let ending = self.child.end_now().map_err(|error| self.surveyor.journalctl.broken(&error))?;
        Err(self.surveyor.journalctl.ended(&ending))
    }

    fn until(&self) -> Progress {
        self.last().map_or(Progress::Unknown, |last| Progress::Until(last.ts))
    }

    fn tick(&mut self) -> Result<ControlFlow<End>, Failure> {
        if self.delivered.elapsed() < self.timing.tick {
            return Ok(ControlFlow::Continue(()));
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<ControlFlow<End>, Failure> {
        let progress = if self.caught_up { Progress::CaughtUp(crate::observe::now()) } else { self.until() };
        Ok(self.flush_with(progress))
    }

    fn flush_with(&mut self, progress: Progress) -> ControlFlow<End> {
        let summary = if self.caught_up { "follows the journal" } else { "catches up with the journal" };
        self.reporter.ok(summary);
        let delivery = self.intake.deliver(progress);
        let before = Instant::now();
        let result = (self.deliver)(delivery);
        crate::failpoint!("reader.delivered");
        // While it blocked (a full disk, a frozen process) the journal went on, and may have been vacuumed.
        if self.caught_up && before.elapsed() > self.timing.tick {
            self.fall_behind();
        }
        // Only now: while it blocked, nothing could be delivered.
        self.delivered = Instant::now();
        if result.is_break() { ControlFlow::Break(End::Stopped) } else { ControlFlow::Continue(()) }
    }
}

fn rubbish() -> Failure {
    Failure {
        summary: "journalctl printed what is no export format".into(),
        remedy: "run journalctl -o export by hand; check that journal.journalctl names systemd's program".into(),
    }
}
