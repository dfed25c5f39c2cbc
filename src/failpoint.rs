/// Names a place in the code for the crash tests: with the feature `failpoints` and `FAILPOINTS=<name>=<action>` in the
/// environment the process panics, pauses or exits there. Without the feature it is nothing at all.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name);
    };
}
