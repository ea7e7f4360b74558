//! How many messages wait in a mailbox. There is no voicemail here: whoever has one says so, as by Asterisk's
//! external MWI, and the counts lie where Asterisk keeps them, in its small database.

use crate::device::NotKept;
use crate::switch::Switch;

/// The family of the database.
const FAMILY: &str = "mwi_external";

/// Messages of a mailbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Messages {
    /// Not heard yet.
    pub new: u32,
    /// Heard.
    pub old: u32,
}

impl Messages {
    /// Asterisk's JSON, with numbers as text or not; or `new/old`.
    fn parse(text: &str) -> Self {
        let named = |name: &str| {
            let (_, rest) = text.split_once(&format!("\"{name}\""))?;
            let digits = rest.trim_start_matches([' ', ':', '"']);
            let end = digits.find(|c: char| !c.is_ascii_digit());
            digits[..end.unwrap_or(digits.len())].parse().ok()
        };
        if let Some((new, old)) = text.split_once('/') {
            return Self {
                new: new.trim().parse().unwrap_or(0),
                old: old.trim().parse().unwrap_or(0),
            };
        }
        Self {
            new: named("msgs_new").unwrap_or(0),
            old: named("msgs_old").unwrap_or(0),
        }
    }

    fn written(self) -> String {
        format!(
            "{{\"msgs_new\":\"{}\",\"msgs_old\":\"{}\"}}",
            self.new, self.old
        )
    }
}

impl Switch {
    /// What waits in a mailbox (`1001@default`); nothing in one that nobody has told of.
    pub fn mailbox(&self, mailbox: &str) -> Messages {
        let database = self.store().astdb();
        let text = database.and_then(|it| it.value(FAMILY, &key(mailbox)));
        text.map(|text| Messages::parse(&text)).unwrap_or_default()
    }

    /// What waits in several mailboxes together.
    pub fn mailboxes(&self, mailboxes: &[String]) -> Messages {
        let all = mailboxes.iter().map(|mailbox| self.mailbox(mailbox));
        all.fold(Messages::default(), |sum, own| Messages {
            new: sum.new.saturating_add(own.new),
            old: sum.old.saturating_add(own.old),
        })
    }

    /// Says what waits in a mailbox; `None` forgets it.
    ///
    /// # Errors
    ///
    /// See [`NotKept`].
    pub fn set_mailbox(&self, mailbox: &str, messages: Option<Messages>) -> Result<(), NotKept> {
        let database = self.store().astdb().ok_or(NotKept::Store)?;
        match messages {
            Some(messages) => {
                let kept = database.put(FAMILY, &key(mailbox), &messages.written());
                drop(kept.map_err(|_| NotKept::Store)?);
            }
            None => drop(database.remove(FAMILY, &key(mailbox))),
        }
        self.directory().changed();
        Ok(())
    }
}

fn key(mailbox: &str) -> String {
    format!("mailboxes/{mailbox}")
}

#[cfg(test)]
mod tests {
    use super::Messages;

    #[test]
    fn counts_are_read_as_asterisk_keeps_them_and_as_people_write_them() {
        let three = Messages { new: 3, old: 1 };
        for text in [
            "{\"msgs_new\":\"3\",\"msgs_old\":\"1\"}",
            "{ \"msgs_old\": 1, \"msgs_new\": 3 }",
            "3/1",
            &three.written(),
        ] {
            assert_eq!(Messages::parse(text), three, "{text}");
        }
        assert_eq!(Messages::parse("many"), Messages::default());
    }
}
