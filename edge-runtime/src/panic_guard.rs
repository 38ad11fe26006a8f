//! The last fence around code that is not ours: a panic becomes an error.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` and returns its result, or the message of the panic that ended it.
///
/// While `work` runs, panics of this thread print nothing; those of other code print as ever.
pub(crate) fn without_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static QUIET_HOOK: Once = Once::new();
    QUIET_HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                loud(info);
            }
        }));
    });
    let before = GUARDED.replace(true);
    // What `work` touched is dropped or never used again after an error.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.map_err(|payload| {
        payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_string()))
            .unwrap_or_else(|| "panic without a message".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_their_message_and_results_pass_through() {
        assert_eq!(without_panic(|| 3), Ok(3));
        let index = std::hint::black_box(7);
        let message = without_panic(|| [1, 2, 3][index]).unwrap_err();
        assert!(message.contains("index out of bounds"), "{message}");
        assert_eq!(
            without_panic(|| panic!("plain")),
            Err::<(), _>("plain".into())
        );
    }
}
