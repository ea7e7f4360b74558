//! Comments: what is left of a line, and where it stood.

/// Takes comments out of lines, across which block comments, one within another, may run.
#[derive(Default)]
pub(super) struct Scanner {
    /// The lines that block comments began in, outermost first, while inside them.
    blocks: Vec<u32>,
    number: u32,
    text: String,
    /// `(byte offset in text, characters left out before it)`, ascending.
    cuts: Vec<(usize, u32)>,
    /// Whether a comment ends the line that no blank parts from the text before it.
    touches: bool,
}

/// Block comments within each other; what opens deeper is read as part of the comment.
const NESTED_MAX: usize = 128;

impl Scanner {
    /// Reads the next line.
    pub(super) fn line(&mut self, line: &str) {
        self.number += 1;
        self.text.clear();
        self.cuts.clear();
        self.touches = false;
        let mut rest = line;
        let mut left_out: u32 = 0;
        loop {
            let cut = if self.blocks.is_empty() {
                let Some(semicolon) = rest.find(';') else {
                    self.text.push_str(rest);
                    return;
                };
                let (before, from) = rest.split_at(semicolon);
                if let Some(before) = before.strip_suffix('\\') {
                    self.text.push_str(before);
                    left_out += 1;
                    self.cuts.push((self.text.len(), left_out));
                    self.text.push(';');
                    rest = &from[1..];
                    continue;
                }
                self.text.push_str(before);
                rest = from;
                if !opens_block(rest) {
                    self.touches =
                        !self.text.is_empty() && !self.text.ends_with(char::is_whitespace);
                    return;
                }
                self.blocks.push(self.number);
                3
            } else {
                match self.within_block(rest) {
                    Some(cut) => cut,
                    None => return,
                }
            };
            left_out += u32::try_from(rest[..cut].chars().count()).unwrap_or(u32::MAX);
            rest = &rest[cut..];
            self.cuts.push((self.text.len(), left_out));
        }
    }

    /// How much of the line belongs to the comment up to the next sign; `None` if there is none.
    fn within_block(&mut self, rest: &str) -> Option<usize> {
        let semicolon = rest.find(';')?;
        let (before, from) = rest.split_at(semicolon);
        if opens_block(from) {
            if self.blocks.len() < NESTED_MAX {
                self.blocks.push(self.number);
            }
            return Some(semicolon + 3);
        }
        if before.ends_with("--") {
            self.blocks.pop();
        }
        Some(semicolon + 1)
    }

    /// The line without its comments; `\;` has become `;`.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The column in the line as it was, of a byte of [`Self::text`].
    pub(super) fn column(&self, offset: usize) -> u32 {
        let offset = offset.min(self.text.len());
        let kept = self.text[..offset].chars().count();
        let cuts = self.cuts.iter().rev();
        let left_out = cuts.into_iter().find(|(at, _)| *at <= offset);
        let left_out = left_out.map_or(0, |(_, count)| *count);
        u32::try_from(kept)
            .unwrap_or(u32::MAX)
            .saturating_add(left_out)
            .saturating_add(1)
    }

    /// Whether a comment ends the line that no blank parts from the text before it: `a;b`.
    pub(super) fn comment_touches(&self) -> bool {
        self.touches
    }

    /// The line an unfinished block comment began in.
    pub(super) fn open_since(&self) -> Option<u32> {
        self.blocks.last().copied()
    }
}

/// `;--`, but not the `;---` of a line drawn across the file.
fn opens_block(text: &str) -> bool {
    text.starts_with(";--") && !text.starts_with(";---")
}
