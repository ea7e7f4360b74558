//! `GROUP`, `GROUP_COUNT`, `GROUP_MATCH_COUNT`, `GROUP_LIST`: how many calls there are of a kind.

use switch::{Channel, Function, Group, SetError};

/// The group of a channel in a category.
pub(crate) static GROUP: Function = Function {
    name: "GROUP",
    synopsis: "The group of the channel in a category, to be counted until it hangs up: GROUP([category])",
    read: |call, category| Some(group_of(call, category.trim()).unwrap_or_default()),
    write: Some(join),
};

/// How many channels are in a group.
pub(crate) static GROUP_COUNT: Function = Function {
    name: "GROUP_COUNT",
    synopsis: "How many channels are in a group: GROUP_COUNT([group][@category])",
    read: count,
    write: None,
};

/// How many are in groups that match.
pub(crate) static GROUP_MATCH_COUNT: Function = Function {
    name: "GROUP_MATCH_COUNT",
    synopsis: "How many channels are in groups that match an expression: GROUP_MATCH_COUNT(expression[@category])",
    read: count_matching,
    write: None,
};

/// The groups of the channel.
pub(crate) static GROUP_LIST: Function = Function {
    name: "GROUP_LIST",
    synopsis: "The groups of the channel, each as group@category",
    read: |call, _| {
        let groups = call.groups().into_iter().map(|group| match group {
            Group { category, name } if category.is_empty() => name,
            Group { category, name } => format!("{name}@{category}"),
        });
        Some(groups.collect::<Vec<_>>().join(" "))
    },
    write: None,
};

fn group_of(call: &Channel, category: &str) -> Option<String> {
    let mut groups = call.groups().into_iter();
    let found = groups.find(|group| group.category == category)?;
    Some(found.name)
}

/// `Set(GROUP(category)=name)`, or `name@category`.
fn join(call: &mut Channel, category: &str, value: &str) -> Result<(), SetError> {
    let (name, category) = match value.trim().split_once('@') {
        Some((name, own)) => (name, own),
        None => (value.trim(), category.trim()),
    };
    call.join_group(category, name)
}

fn split(text: &str) -> (&str, &str) {
    let (group, category) = text
        .trim()
        .split_once('@')
        .unwrap_or_else(|| (text.trim(), ""));
    (group, category)
}

/// Without a group, that of the channel itself is counted.
fn count(call: &Channel, text: &str) -> Option<String> {
    let (group, category) = split(text);
    let group = match group {
        "" => group_of(call, category).unwrap_or_default(),
        group => group.to_owned(),
    };
    let count = match group.as_str() {
        "" => 0,
        group => call.count_groups(|own| own.name == group && own.category == category),
    };
    Some(count.to_string())
}

fn count_matching(call: &Channel, text: &str) -> Option<String> {
    let (expression, category) = split(text);
    let (Ok(names), Ok(categories)) = (
        regex_lite::Regex::new(expression),
        regex_lite::Regex::new(category),
    ) else {
        call.warn(format_args!(
            "GROUP_MATCH_COUNT({text}): no regular expression"
        ));
        return Some("0".to_owned());
    };
    let matches = |own: &Group| names.is_match(&own.name) && categories.is_match(&own.category);
    Some(call.count_groups(matches).to_string())
}
