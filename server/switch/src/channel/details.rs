//! What a channel tells of itself when it is asked: more than the directory keeps of each.

use codec::Kind;
use rtc::topology::Stream;

use super::Channel;
use crate::story::{Story, StorySoFar};

/// What `core show channel` shows besides [`ChannelInfo`](crate::ChannelInfo).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// The unique id of the call that it belongs to.
    pub linked_id: String,
    /// What was dialled.
    pub dnid: String,
    /// The language of its prompts.
    pub language: String,
    /// The codecs agreed on, by kind: `(opus|vp8)` as Asterisk writes them.
    pub formats: String,
    /// The codec of its sound.
    pub format: String,
    /// The groups it is called in, and those whose calls it picks up, by number.
    pub call_group: String,
    /// See [`Self::call_group`].
    pub pickup_group: String,
    /// Its variables, by name.
    pub variables: Vec<(String, String)>,
    /// The fields of its call record, by Asterisk's names.
    pub record: Vec<(String, String)>,
    /// Its streams.
    pub streams: Vec<StreamDetails>,
    /// What records it: the number of each recording, and its file.
    pub recordings: Vec<(u64, String)>,
    /// What has happened to it; nothing of one that carries a text alone.
    pub story: Option<StorySoFar>,
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDetails {
    /// `audio` or `video`.
    pub kind: &'static str,
    /// `sendrecv` and the like, seen from here.
    pub state: &'static str,
    /// Its codecs, as Asterisk writes them.
    pub formats: String,
}

impl Channel {
    pub(super) fn details(&self) -> Details {
        let cdr = self.record.fields();
        let topology = &self.topology;
        let kinds = [Kind::Audio, Kind::Video];
        let first = |kind| topology.streams(kind).next().and_then(codec_of);
        let formats: Vec<&str> = kinds.into_iter().filter_map(first).collect();
        let endpoint = self.endpoint();
        let record = [
            ("level 1: dnid", self.parties.dialled.clone()),
            ("level 1: clid", cdr.clid.clone()),
            ("level 1: src", cdr.src.clone()),
            ("level 1: dst", cdr.dst.clone()),
            ("level 1: dcontext", cdr.dcontext.clone()),
            ("level 1: channel", cdr.channel.clone()),
            ("level 1: dstchannel", cdr.dstchannel.clone()),
            ("level 1: lastapp", cdr.lastapp.clone()),
            ("level 1: lastdata", cdr.lastdata.clone()),
            ("level 1: accountcode", cdr.accountcode.clone()),
            ("level 1: peeraccount", cdr.peeraccount.clone()),
            ("level 1: amaflags", cdr.amaflags.name().to_owned()),
            ("level 1: userfield", cdr.userfield.clone()),
            ("level 1: uniqueid", cdr.uniqueid.clone()),
            ("level 1: linkedid", cdr.linkedid.clone()),
            ("level 1: sequence", cdr.sequence.to_string()),
        ];
        let set = record.into_iter().filter(|(_, value)| !value.is_empty());
        Details {
            linked_id: cdr.linkedid.clone(),
            dnid: self.parties.dialled.clone(),
            language: self.language().to_owned(),
            format: formats.first().copied().unwrap_or_default().to_owned(),
            formats: in_parentheses(&formats),
            call_group: endpoint.call_groups.numbers(),
            pickup_group: endpoint.pickup_groups.numbers(),
            variables: owned(self.vars.iter()),
            record: set.map(|(name, value)| (name.to_owned(), value)).collect(),
            streams: topology.iter().map(stream).collect(),
            recordings: self.recordings_now(),
            story: self.story.as_ref().map(Story::so_far),
        }
    }
}

fn stream(stream: &Stream) -> StreamDetails {
    let codecs: Vec<&str> = stream.codecs().map(|codec| codec.name).collect();
    StreamDetails {
        kind: stream.kind.as_str(),
        state: stream.direction.as_str(),
        formats: in_parentheses(&codecs),
    }
}

fn codec_of(stream: &Stream) -> Option<&'static str> {
    stream.codecs().next().map(|codec| codec.name)
}

fn in_parentheses(names: &[&str]) -> String {
    match names {
        [] => "(nothing)".to_owned(),
        names => format!("({})", names.join("|")),
    }
}

fn owned<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    pairs.collect()
}
