//! Groups that channels put themselves into, to be counted: `GROUP()`, the limits of a trunk.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::channel::Channel;
use crate::directory::ChannelId;
use crate::switch::Switch;
use crate::variables::SetError;

/// Groups, each of another category, that one channel may be in.
pub const GROUPS_PER_CHANNEL_MAX: usize = 32;

/// Bytes of a group's or a category's name, as in Asterisk.
pub const GROUP_BYTES_MAX: usize = 80;

/// One group a channel is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its category; empty if it has none.
    pub category: String,
    /// Its name.
    pub name: String,
}

/// The groups of all channels.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// Held for a look-up, never over an await.
    members: Mutex<BTreeMap<ChannelId, Vec<Group>>>,
}

impl Groups {
    fn members(&self) -> MutexGuard<'_, BTreeMap<ChannelId, Vec<Group>>> {
        // Nothing is left half done under this lock.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The groups of each channel that is in some.
    fn all(&self) -> Vec<(ChannelId, Vec<Group>)> {
        let members = self.members();
        members.iter().map(|(id, own)| (*id, own.clone())).collect()
    }

    pub(crate) fn forget(&self, id: ChannelId) {
        self.members().remove(&id);
    }
}

impl Switch {
    /// The groups that channels are in, with the names of those, the oldest first.
    pub fn all_groups(&self) -> Vec<(String, Group)> {
        let mut found = Vec::new();
        for (id, groups) in self.groups().all() {
            if let Some(handle) = self.directory().channel(id) {
                let name = handle.name();
                found.extend(groups.into_iter().map(|group| (name.to_owned(), group)));
            }
        }
        found
    }
}

impl Channel {
    /// Puts the channel into a group of a category, in place of the one it was in; an empty name takes it out.
    ///
    /// # Errors
    ///
    /// When a name is too long, or there are too many categories.
    pub fn join_group(&mut self, category: &str, name: &str) -> Result<(), SetError> {
        if category.len() > GROUP_BYTES_MAX || name.len() > GROUP_BYTES_MAX {
            return Err(SetError::TooLong);
        }
        let id = self.id();
        let mut members = self.switch().groups().members();
        let own = members.entry(id).or_default();
        own.retain(|group| group.category != category);
        let result = match (name.is_empty(), own.len() < GROUPS_PER_CHANNEL_MAX) {
            (true, _) => Ok(()),
            (false, true) => {
                own.push(Group {
                    category: category.to_owned(),
                    name: name.to_owned(),
                });
                Ok(())
            }
            (false, false) => Err(SetError::TooMany),
        };
        if own.is_empty() {
            members.remove(&id);
        }
        result
    }

    /// The groups the channel is in, in the order it joined them.
    pub fn groups(&self) -> Vec<Group> {
        let members = self.switch().groups().members();
        members.get(&self.id()).cloned().unwrap_or_default()
    }

    /// How many channels are in a group that is meant.
    pub fn count_groups(&self, is_meant: impl Fn(&Group) -> bool) -> usize {
        let members = self.switch().groups().members();
        let all = members.values();
        all.filter(|own| own.iter().any(&is_meant)).count()
    }
}
