//! redb panics on pages that make no sense. Here such a panic becomes an error, without a trace on the operator's log.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::StoreError;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs `step`; a panic in it is [`StoreError::Panicked`].
pub(crate) fn catch<T>(step: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let nested = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(step));
    QUIET.set(nested);
    result.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown reason");
        Err(StoreError::Panicked(text.lines().next().unwrap_or_default().to_owned()))
    })
}
