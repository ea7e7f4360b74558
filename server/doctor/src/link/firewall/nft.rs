//! What `nft -j list ruleset` lets in: the chains on the input hook, walked for a first packet from a
//! stranger to a port.

use serde_json::Value;

use super::Passage;
use crate::listeners::Layer;

/// All tables.
pub(crate) struct Ruleset {
    chains: Vec<Chain>,
    sets: Vec<Set>,
}

struct Chain {
    key: Key,
    /// Set for a chain on the input hook: whether it lets through what no rule has decided.
    input: Option<bool>,
    rules: Vec<Vec<Value>>,
}

struct Set {
    key: Key,
    elements: Value,
}

#[derive(PartialEq, Eq)]
struct Key {
    family: String,
    table: String,
    name: String,
}

/// What a rule or a chain decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accept,
    Drop,
    Undecided,
}

/// Whether an expression holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// It depends on who sends, or by which interface.
    Perhaps,
}

struct Walk {
    layer: Layer,
    port: u16,
    /// Some senders were let through.
    some: bool,
}

impl Ruleset {
    /// `None` if the text is not what nft prints.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let whole: Value = serde_json::from_str(text).ok()?;
        let mut rules = Self {
            chains: Vec::new(),
            sets: Vec::new(),
        };
        for object in whole.get("nftables")?.as_array()? {
            if let Some(chain) = object.get("chain") {
                let is_input = chain.get("hook").and_then(Value::as_str) == Some("input")
                    && chain.get("type").and_then(Value::as_str) == Some("filter");
                let policy = chain.get("policy").and_then(Value::as_str);
                rules.chains.push(Chain {
                    key: key(chain, "name")?,
                    input: is_input.then_some(policy != Some("drop")),
                    rules: Vec::new(),
                });
            } else if let Some(set) = object.get("set") {
                rules.sets.push(Set {
                    key: key(set, "name")?,
                    elements: set.get("elem").cloned().unwrap_or_default(),
                });
            } else if let Some(rule) = object.get("rule") {
                let key = key(rule, "chain")?;
                let expressions = rule.get("expr").and_then(Value::as_array);
                let chain = rules.chains.iter_mut().find(|chain| chain.key == key);
                if let (Some(chain), Some(expressions)) = (chain, expressions) {
                    chain.rules.push(expressions.clone());
                }
            }
        }
        Some(rules)
    }

    /// Whether anything is on the input hook that could block.
    pub(crate) fn filters(&self) -> bool {
        self.inputs()
            .any(|(chain, passes)| !passes || !chain.rules.is_empty())
    }

    /// `family table chain` of the first that blocks what is not allowed.
    pub(crate) fn chain(&self) -> Option<String> {
        let (chain, _) = self.inputs().next()?;
        let Key {
            family,
            table,
            name,
        } = &chain.key;
        Some(format!("{family} {table} {name}"))
    }

    /// Whether a first packet to this port comes in.
    pub(crate) fn passage(&self, layer: Layer, port: u16) -> Passage {
        let mut walk = Walk {
            layer,
            port,
            some: false,
        };
        let mut is_partial = false;
        for (chain, passes) in self.inputs() {
            walk.some = false;
            let is_through = match self.walk(chain, &mut walk, 0) {
                Verdict::Accept => true,
                Verdict::Drop => false,
                Verdict::Undecided => passes,
            };
            match (is_through, walk.some) {
                (true, _) => {}
                (false, true) => is_partial = true,
                (false, false) => return Passage::Closed,
            }
        }
        if is_partial {
            Passage::Some
        } else {
            Passage::Open
        }
    }

    /// The chains that see IPv4, which is what browsers in a local network use.
    fn inputs(&self) -> impl Iterator<Item = (&Chain, bool)> {
        let chains = self.chains.iter().filter(|chain| chain.key.family != "ip6");
        chains.filter_map(|chain| Some((chain, chain.input?)))
    }

    fn walk(&self, chain: &Chain, walk: &mut Walk, depth: usize) -> Verdict {
        for rule in &chain.rules {
            let mut holds = Holds::Yes;
            for expression in rule {
                let Some(verdict) = self.verdict(chain, expression, walk, depth) else {
                    holds = holds.and(self.holds(chain, expression, walk));
                    if holds == Holds::No {
                        break;
                    }
                    continue;
                };
                match (verdict, holds) {
                    (Verdict::Undecided, _) => {}
                    (Verdict::Accept, Holds::Perhaps) => walk.some = true,
                    (Verdict::Drop, Holds::Perhaps) | (_, Holds::No) => {}
                    (verdict, Holds::Yes) => return verdict,
                }
            }
        }
        Verdict::Undecided
    }

    /// What a statement decides; `None` if it is a condition.
    fn verdict(
        &self,
        chain: &Chain,
        expression: &Value,
        walk: &mut Walk,
        depth: usize,
    ) -> Option<Verdict> {
        let (name, value) = expression.as_object()?.iter().next()?;
        Some(match name.as_str() {
            "accept" => Verdict::Accept,
            "drop" | "reject" => Verdict::Drop,
            "jump" | "goto" => {
                let target = value.get("target").and_then(Value::as_str)?;
                let next = self.chains.iter().find(|next| {
                    next.key.name == target
                        && next.key.table == chain.key.table
                        && next.key.family == chain.key.family
                });
                match next {
                    Some(next) if depth < DEPTH_MAX => self.walk(next, walk, depth + 1),
                    _ => Verdict::Undecided,
                }
            }
            _ => return None,
        })
    }

    fn holds(&self, chain: &Chain, expression: &Value, walk: &Walk) -> Holds {
        let Some((name, value)) = expression
            .as_object()
            .and_then(|object| object.iter().next())
        else {
            return Holds::Yes;
        };
        match name.as_str() {
            "match" => self.matches(chain, value, walk),
            "limit" | "xt" | "vmap" | "connlimit" => Holds::Perhaps,
            // Counters, logs, comments.
            _ => Holds::Yes,
        }
    }

    fn matches(&self, chain: &Chain, value: &Value, walk: &Walk) -> Holds {
        let (Some(left), Some(right)) = (value.get("left"), value.get("right")) else {
            return Holds::Perhaps;
        };
        let is_not = value.get("op").and_then(Value::as_str) == Some("!=");
        let text = |path: &str| left.pointer(path).and_then(Value::as_str);
        let found = if let Some(protocol) = text("/payload/protocol") {
            let is_ours = protocol == "th" || protocol == walk.layer.as_str();
            match text("/payload/field") {
                Some("dport") if is_ours => self.has(chain, right, u64::from(walk.port)),
                Some(_) if matches!(protocol, "tcp" | "udp") && !is_ours => Holds::No,
                Some("protocol" | "nexthdr") => names(right, walk.layer.as_str()),
                _ => Holds::Perhaps,
            }
        } else {
            match (text("/meta/key"), text("/ct/key")) {
                (Some("l4proto"), _) => names(right, walk.layer.as_str()),
                (Some("iifname" | "iif"), _) if right == "lo" => Holds::No,
                (_, Some("state")) => names(right, "new"),
                _ => Holds::Perhaps,
            }
        };
        match (found, is_not) {
            (Holds::Yes, true) => Holds::No,
            (Holds::No, true) => Holds::Yes,
            (found, _) => found,
        }
    }

    /// Whether a number is the right side, or in it.
    fn has(&self, chain: &Chain, right: &Value, port: u64) -> Holds {
        match right {
            Value::Number(number) => (number.as_u64() == Some(port)).into(),
            Value::String(name) => {
                let name = name.trim_start_matches('@');
                let set = self.sets.iter().find(|set| {
                    set.key.name == name
                        && set.key.table == chain.key.table
                        && set.key.family == chain.key.family
                });
                set.map_or(Holds::Perhaps, |set| self.has(chain, &set.elements, port))
            }
            Value::Array(list) => {
                let any = list
                    .iter()
                    .any(|one| self.has(chain, one, port) == Holds::Yes);
                any.into()
            }
            Value::Object(object) => {
                if let Some(set) = object.get("set") {
                    return self.has(chain, set, port);
                }
                if let Some(value) = object.get("elem").and_then(|element| element.get("val")) {
                    return self.has(chain, value, port);
                }
                let end = |index| object.get("range")?.get(index)?.as_u64();
                match (end(0), end(1)) {
                    (Some(first), Some(last)) => (first..=last).contains(&port).into(),
                    _ => Holds::Perhaps,
                }
            }
            Value::Null => Holds::No,
            Value::Bool(_) => Holds::Perhaps,
        }
    }
}

impl Holds {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Perhaps, _) | (_, Self::Perhaps) => Self::Perhaps,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

impl From<bool> for Holds {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// Whether a word is the right side, or in it.
fn names(right: &Value, word: &str) -> Holds {
    match right {
        Value::String(text) => (text == word).into(),
        Value::Array(list) => list.iter().any(|one| one == word).into(),
        Value::Object(object) => object
            .get("set")
            .map_or(Holds::Perhaps, |set| names(set, word)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Holds::Perhaps,
    }
}

fn key(value: &Value, name: &str) -> Option<Key> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Key {
        family: text("family")?,
        table: text("table")?,
        name: text(name)?,
    })
}

/// nft itself refuses deeper jumps.
const DEPTH_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::{Layer, Passage, Ruleset};

    /// As nft 1.0 prints it.
    const RULES: &str = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
      {"table": {"family": "inet", "name": "filter", "handle": 1}},
      {"set": {"family": "inet", "name": "web", "table": "filter", "type": "inet_service", "handle": 9,
        "elem": [8443, {"range": [9000, 9010]}]}},
      {"chain": {"family": "inet", "table": "filter", "name": "input", "handle": 2, "type": "filter",
        "hook": "input", "prio": 0, "policy": "drop"}},
      {"chain": {"family": "inet", "table": "filter", "name": "phones", "handle": 3}},
      {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 4, "expr": [
        {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}},
        {"accept": null}]}},
      {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 5, "expr": [
        {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 6, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}},
          "right": {"set": [22, 8089]}}}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 7, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}},
          "right": "@web"}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 8, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}},
          "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}},
        {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 5060}},
        {"accept": null}]}},
      {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 9, "expr": [
        {"jump": {"target": "phones"}}]}},
      {"rule": {"family": "inet", "table": "filter", "chain": "phones", "handle": 10, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}},
          "right": {"range": [10000, 20000]}}}, {"accept": null}]}}]}"#;

    #[test]
    fn a_first_packet_is_walked_through_rules_sets_and_chains() {
        let rules = Ruleset::parse(RULES).unwrap();
        assert!(rules.filters());
        let passage = |layer, port| rules.passage(layer, port);
        assert_eq!(passage(Layer::Tcp, 8089), Passage::Open);
        assert_eq!(passage(Layer::Tcp, 9005), Passage::Open);
        assert_eq!(passage(Layer::Tcp, 8443), Passage::Open);
        assert_eq!(passage(Layer::Udp, 8089), Passage::Closed);
        assert_eq!(passage(Layer::Tcp, 5061), Passage::Closed);
        assert_eq!(passage(Layer::Udp, 5060), Passage::Some);
        assert_eq!(passage(Layer::Udp, 10_000), Passage::Open);
        assert_eq!(passage(Layer::Udp, 20_001), Passage::Closed);
        assert_eq!(rules.chain().as_deref(), Some("inet filter input"));
    }

    #[test]
    fn no_rules_are_no_filter() {
        let rules = Ruleset::parse(r#"{"nftables": [{"metainfo": {}}]}"#).unwrap();
        assert!(!rules.filters() && rules.passage(Layer::Udp, 1) == Passage::Open);
        assert!(Ruleset::parse("garbage").is_none());
    }
}
