//! What lies between two threads of a live run: a small queue that knows what to do when it is full.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What happens to what is put into a mailbox that is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The oldest item in it is thrown away: the newest wins, and nobody waits.
    Newest,
    /// Whoever puts it in waits: nothing is lost.
    Every,
}

/// What came out of a mailbox within a time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// The oldest item.
    Item(T),
    /// Nothing came in time.
    Nothing,
    /// It is closed and empty: nothing will come any more.
    Closed,
}

/// A queue of a few items between threads, usually of one.
///
/// ```
/// use edge_runtime::{Delivery, Mailbox};
///
/// let mailbox = Mailbox::new(1, Delivery::Newest);
/// mailbox.put("old");
/// mailbox.put("new");
/// mailbox.close();
/// assert_eq!(mailbox.take(), Some("new"));
/// assert_eq!(mailbox.take(), None);
/// assert_eq!(mailbox.dropped(), 1);
/// ```
#[derive(Debug)]
pub struct Mailbox<T> {
    content: Mutex<Content<T>>,
    changed: Condvar,
    capacity: usize,
    delivery: Delivery,
}

#[derive(Debug)]
struct Content<T> {
    items: VecDeque<T>,
    closed: bool,
    dropped: u64,
}

impl<T> Mailbox<T> {
    /// An empty mailbox for `capacity` items, at least one.
    pub fn new(capacity: usize, delivery: Delivery) -> Mailbox<T> {
        let capacity = capacity.max(1);
        Mailbox {
            content: Mutex::new(Content {
                items: VecDeque::with_capacity(capacity),
                closed: false,
                dropped: 0,
            }),
            changed: Condvar::new(),
            capacity,
            delivery,
        }
    }

    /// Puts an item in, waiting for room where every item counts. False when the mailbox is
    /// closed; the item is lost then.
    pub fn put(&self, item: T) -> bool {
        let mut content = self.lock();
        while !content.closed && content.items.len() >= self.capacity {
            match self.delivery {
                Delivery::Newest => {
                    content.items.pop_front();
                    content.dropped += 1;
                }
                Delivery::Every => content = self.wait(content),
            }
        }
        if content.closed {
            return false;
        }
        content.items.push_back(item);
        drop(content);
        self.changed.notify_all();
        true
    }

    /// Waits for the oldest item. None when the mailbox is closed and empty.
    pub fn take(&self) -> Option<T> {
        let mut content = self.lock();
        loop {
            if let Some(item) = content.items.pop_front() {
                drop(content);
                self.changed.notify_all();
                return Some(item);
            }
            if content.closed {
                return None;
            }
            content = self.wait(content);
        }
    }

    /// [`take`](Self::take) that waits for `limit` at most.
    pub fn take_within(&self, limit: Duration) -> Taken<T> {
        let end = Instant::now() + limit;
        let mut content = self.lock();
        loop {
            if let Some(item) = content.items.pop_front() {
                drop(content);
                self.changed.notify_all();
                return Taken::Item(item);
            }
            if content.closed {
                return Taken::Closed;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Nothing;
            }
            content = self
                .changed
                .wait_timeout(content, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Takes nothing more in; what is inside can still be taken out. Wakes everybody who waits.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// [`close`](Self::close), and throws away what is inside.
    pub fn close_and_clear(&self) {
        let mut content = self.lock();
        content.closed = true;
        content.items.clear();
        drop(content);
        self.changed.notify_all();
    }

    /// Whether it takes nothing more in.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Items that were thrown away for newer ones.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn wait<'a>(&self, content: MutexGuard<'a, Content<T>>) -> MutexGuard<'a, Content<T>> {
        self.changed
            .wait(content)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody panics while holding the lock; if somebody did, the queue is whole all the same.
    fn lock(&self) -> MutexGuard<'_, Content<T>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn the_newest_wins_and_nobody_waits() {
        let mailbox = Mailbox::new(1, Delivery::Newest);
        for number in 0..1000 {
            assert!(mailbox.put(number));
        }
        assert_eq!(mailbox.take(), Some(999));
        assert_eq!(mailbox.dropped(), 999);
        assert_eq!(
            mailbox.take_within(Duration::from_millis(1)),
            Taken::Nothing
        );
    }

    #[test]
    fn every_item_comes_in_order_and_the_sender_waits() {
        let mailbox = Arc::new(Mailbox::new(1, Delivery::Every));
        let sent = Arc::new(AtomicUsize::new(0));
        let sender = thread::spawn({
            let (mailbox, sent) = (mailbox.clone(), sent.clone());
            move || {
                for number in 0..100 {
                    assert!(mailbox.put(number));
                    sent.fetch_add(1, Ordering::SeqCst);
                }
                mailbox.close();
            }
        });
        thread::sleep(Duration::from_millis(20));
        assert_eq!(sent.load(Ordering::SeqCst), 1, "one slot holds one item");
        let received: Vec<i32> = std::iter::from_fn(|| mailbox.take()).collect();
        assert_eq!(received, (0..100).collect::<Vec<_>>());
        assert_eq!(mailbox.dropped(), 0);
        sender.join().unwrap();
    }

    #[test]
    fn closing_wakes_who_waits_on_either_side() {
        let full = Arc::new(Mailbox::new(1, Delivery::Every));
        assert!(full.put(1));
        let empty = Arc::new(Mailbox::<i32>::new(1, Delivery::Newest));
        let sender = thread::spawn({
            let full = full.clone();
            move || full.put(2)
        });
        let receiver = thread::spawn({
            let empty = empty.clone();
            move || empty.take()
        });
        thread::sleep(Duration::from_millis(10));
        full.close();
        empty.close();
        assert!(!sender.join().unwrap());
        assert_eq!(receiver.join().unwrap(), None);
        // What was inside before is still delivered.
        assert_eq!(full.take_within(Duration::ZERO), Taken::Item(1));
        assert_eq!(full.take_within(Duration::ZERO), Taken::Closed);
        assert!(full.is_closed() && !full.put(3));
    }
}
