//! How much is watched. Whatever is watched is looked at whenever a call or a contact changes, and a list counts as
//! often as it has resources: without these bounds one who subscribes to many lists could keep the driver busy.

use std::collections::BTreeMap;

use ::sip::Status;

use crate::sip::authenticate::{Denied, RETRY_AFTER_S};

/// Extensions and mailboxes that are watched, those of all subscriptions together.
pub(crate) const WATCHED_MAX: usize = 20_000;

/// Those of one endpoint: ten of the longest lists. All guests are one endpoint.
pub(crate) const WATCHED_PER_ENDPOINT_MAX: usize = 2_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Quota {
    all: usize,
    by_endpoint: BTreeMap<String, usize>,
}

impl Quota {
    /// So many more are watched by this endpoint, if there is room for all of them.
    pub(super) fn take(&mut self, endpoint: &str, count: usize) -> Result<(), Denied> {
        let own = self.by_endpoint.get(endpoint).copied().unwrap_or(0);
        if own + count > WATCHED_PER_ENDPOINT_MAX {
            return Err(full(endpoint, WATCHED_PER_ENDPOINT_MAX, "by one endpoint"));
        }
        if self.all + count > WATCHED_MAX {
            return Err(full(endpoint, WATCHED_MAX, "by all endpoints"));
        }
        self.all += count;
        self.by_endpoint.insert(endpoint.to_owned(), own + count);
        Ok(())
    }

    /// So many are watched no more.
    pub(super) fn give_back(&mut self, endpoint: &str, count: usize) {
        self.all -= count;
        if let Some(own) = self.by_endpoint.get_mut(endpoint) {
            *own -= count;
            if *own == 0 {
                self.by_endpoint.remove(endpoint);
            }
        }
    }
}

/// 503, as for too many subscriptions: it will do when others have ended.
fn full(endpoint: &str, max: usize, by: &str) -> Denied {
    let sentence = format!("No more than {max} extensions can be watched {by} at a time");
    tracing::warn!(endpoint, "subscription refused: {sentence}");
    let mut denied = Denied::with_warning(Status::SERVICE_UNAVAILABLE, &sentence);
    let again = Denied::retry_after(Status::SERVICE_UNAVAILABLE, RETRY_AFTER_S);
    denied.headers.extend(again.headers);
    denied
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::presence::LIST_ITEMS_MAX;

    fn is_refused(taken: Result<(), Denied>, by: &str) -> bool {
        taken.is_err_and(|denied| {
            let mut headers = denied.headers.iter();
            denied.status == Status::SERVICE_UNAVAILABLE
                && headers.any(|(_, value)| value.contains(by))
        })
    }

    #[test]
    fn one_endpoint_and_all_of_them_are_bounded_and_room_comes_back() {
        let mut quota = Quota::default();
        let lists = WATCHED_PER_ENDPOINT_MAX / LIST_ITEMS_MAX;
        let endpoints = WATCHED_MAX / WATCHED_PER_ENDPOINT_MAX;
        for endpoint in 0..endpoints {
            let endpoint = endpoint.to_string();
            for _ in 0..lists {
                assert!(quota.take(&endpoint, LIST_ITEMS_MAX).is_ok());
            }
            assert!(is_refused(quota.take(&endpoint, 1), "by one endpoint"));
        }
        assert!(is_refused(quota.take("another", 1), "by all endpoints"));
        quota.give_back("0", LIST_ITEMS_MAX);
        assert!(quota.take("another", LIST_ITEMS_MAX).is_ok());
        assert!(is_refused(quota.take("0", 1), "by all endpoints"));
        quota.give_back("another", LIST_ITEMS_MAX);
        for endpoint in 0..endpoints {
            let lists = lists - usize::from(endpoint == 0);
            quota.give_back(&endpoint.to_string(), lists * LIST_ITEMS_MAX);
        }
        assert_eq!((quota.all, quota.by_endpoint.len()), (0, 0));
    }
}
