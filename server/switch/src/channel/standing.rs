//! Which step of the dial plan a channel is at, and what was found wrong while its text was read.

use std::cell::RefCell;
use std::sync::Arc;

use dialplan::Step;

/// Remarks on one step that the story keeps; all are logged.
const REMARKS_MAX: usize = 16;

/// The step that runs.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Its file and its line; nothing outside of the dial plan.
    step: Option<(Arc<str>, u32)>,
    /// Not in the story yet: a text is read without changing the channel.
    remarks: RefCell<Vec<String>>,
}

impl Standing {
    /// This step begins.
    pub(crate) fn at(&mut self, step: &Step) {
        self.step = Some((Arc::clone(&step.file), step.line));
    }

    /// `extensions.conf:12: `, to stand before a message.
    pub(crate) fn place(&self) -> String {
        match &self.step {
            None => String::new(),
            Some((row, 0)) => format!("{row}: "),
            Some((file, line)) => format!("{file}:{line}: "),
        }
    }

    /// Keeps a remark for the story.
    pub(crate) fn remark(&self, text: String) {
        let mut remarks = self.remarks.borrow_mut();
        if remarks.len() < REMARKS_MAX {
            remarks.push(text);
        }
    }

    /// What was remarked.
    pub(crate) fn take_remarks(&mut self) -> Vec<String> {
        std::mem::take(self.remarks.get_mut())
    }
}
