/// Names a place in the code for the crash tests: with the feature `failpoints` and `FAILPOINTS=<name>=<action>` in the
/// environment the process panics or pauses there, or, with the action `return`, dies on the spot. Without the feature
/// it is nothing at all.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::reached($name);
    };
}

/// Takes the actions from the environment, for good: at the end of a scenario, who pauses would go on.
#[cfg(feature = "failpoints")]
pub fn from_environment() {
    std::mem::forget(fail::FailScenario::setup());
}

/// As SIGKILL would: nothing is dropped, no buffer is flushed.
#[cfg(feature = "failpoints")]
pub(crate) fn reached(name: &str) {
    fail::fail_point!(name, |_| std::process::abort());
}
