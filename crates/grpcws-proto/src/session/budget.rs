//! What the receive windows of all streams together may grow by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes the receive windows of all streams that share it may grow by, above the size that each begins with.
///
/// Clones share one budget. A stream borrows from it when its window grows, and pays back when the window shrinks and
/// when the stream ends. A window that finds the budget used up stays as it is. A transport that keeps in memory what the
/// session does not read borrows that as well: see [`WindowBudget::lend`].
#[derive(Debug, Clone)]
pub struct WindowBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    size: u64,
    used: AtomicU64,
}

impl WindowBudget {
    /// A budget of so many bytes; with 0 no window grows.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(Budget { size: bytes, used: AtomicU64::new(0) }))
    }

    /// How many bytes it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// How many of them are lent at present.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Lends all of these bytes, or none if the budget has fewer.
    #[must_use]
    pub fn lend(&self, bytes: u64) -> Option<Loan> {
        let mut loan = self.loan();
        loan.extend(bytes).then_some(loan)
    }

    /// A loan of nothing, to be extended.
    pub(super) fn loan(&self) -> Loan {
        Loan { budget: self.clone(), bytes: 0 }
    }
}

impl Default for WindowBudget {
    /// A budget of 256 MiB.
    fn default() -> Self {
        Self::new(256 * 1024 * 1024)
    }
}

/// What one stream has borrowed. It is paid back when this is dropped.
#[derive(Debug)]
pub struct Loan {
    budget: WindowBudget,
    bytes: u64,
}

impl Loan {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Borrows all of these bytes, or none if the budget has fewer.
    #[must_use]
    pub(super) fn extend(&mut self, bytes: u64) -> bool {
        let Budget { size, used } = &*self.budget.0;
        // No other memory is read or written by what the number says, so its order is all that counts.
        let borrow = |used: u64| used.checked_add(bytes).filter(|used| used <= size);
        let borrowed = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, borrow).is_ok();
        if borrowed {
            self.bytes += bytes;
        }
        borrowed
    }

    pub(super) fn repay(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.0.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.repay(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_share_a_budget_and_pay_back_what_they_borrowed() {
        let budget = WindowBudget::new(100);
        let (mut one, mut other) = (budget.loan(), budget.clone().loan());
        assert!(one.extend(60) && !other.extend(41) && other.extend(40) && !one.extend(1));
        assert_eq!((budget.used(), budget.size()), (100, 100));
        one.repay(50);
        one.repay(50);
        assert_eq!((one.bytes(), budget.used()), (0, 40), "no more is paid back than was borrowed");
        drop(other);
        assert_eq!(budget.used(), 0);
        assert!(!one.extend(u64::MAX), "it does not overflow");
    }
}
