use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Runs a future; a panic inside becomes its message. What the future held is dropped with it, so nothing half
/// changed is seen again: that is what makes the assertion of unwind safety true.
pub async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(message(payload.as_ref()))),
    })
    .await
}

/// Runs a function; a panic inside becomes its message.
pub fn caught_here<T>(function: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(function)).map_err(|payload| message(payload.as_ref()))
}

/// Replaces the standard several-line panic report with one log line that says where.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
        tracing::error!(place, "panicked: {}", message(info.payload()));
    }));
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_value() {
        assert_eq!(caught(async { 3 }).await, Ok(3));
        let number = 7;
        assert_eq!(caught(async { panic!("no {number}") }).await.map(|()| 0), Err("no 7".to_owned()));
        assert_eq!(caught_here(|| panic!("plain")).map(|()| 0), Err("plain".to_owned()));
    }
}
