//! What scripts ask of a running exchange: whether it has started, its modules, the machine it runs on, the kinds of
//! channels, the codes of features, the groups of channels.

use config::Features;

use crate::command::{Command, Names, Outcome, Slot, Takes};
use crate::commands::count;
use crate::exchange::Exchange;
use crate::reload::MODULES;

pub(crate) static WAIT_FULLY_BOOTED: Command = Command {
    path: "core waitfullybooted",
    takes: Takes::Nothing,
    synopsis: "Wait for the exchange to be fully booted",
    doc: "Answers once the exchange takes calls. It takes calls before it answers on this console, so\n\
          that is at once.",
    run: |_, _| Box::pin(async { Outcome::Done("Asterisk has fully booted.\n".to_owned()) }),
};

pub(crate) static MODULE_SHOW: Command = Command {
    path: "module show",
    takes: Takes::Form(&[
        Slot::Optional,
        Slot::Word("like"),
        Slot::Name("keyword", Names::Modules),
    ]),
    synopsis: "List modules and info",
    doc: "Lists what `module reload` takes, and the applications and functions of the dial plan by the\n\
          names of Asterisk's modules; with `like`, those whose names have the keyword. All of it is in\n\
          one program: nothing is loaded or unloaded.",
    run: |exchange, words| Box::pin(async { modules(exchange, words.get(1)) }),
};

pub(crate) static SYSINFO: Command = Command {
    path: "core show sysinfo",
    takes: Takes::Nothing,
    synopsis: "Show System Information",
    doc: "Shows how long the machine runs, and its memory and tasks, as Linux tells them.",
    run: |_, _| Box::pin(async { sysinfo() }),
};

pub(crate) static CHANNEL_TYPES: Command = Command {
    path: "core show channeltypes",
    takes: Takes::Nothing,
    synopsis: "List available channel types",
    doc: "Lists the technologies that Dial takes.",
    run: |_, _| Box::pin(async { Outcome::Done(channel_types()) }),
};

pub(crate) static FEATURES: Command = Command {
    path: "features show",
    takes: Takes::Nothing,
    synopsis: "Lists configured features",
    doc: "Lists the codes of features.conf that are dialled in calls; `parking show` has the parking lots.",
    run: |exchange, _| Box::pin(async { features(exchange) }),
};

pub(crate) static GROUPS: Command = Command {
    path: "group show channels",
    takes: Takes::Form(&[Slot::Optional, Slot::Any("pattern")]),
    synopsis: "Display active channels with group(s)",
    doc: "Lists the channels that are in a group (GROUP()); with a pattern, a regular expression that\n\
          the name of the group must match.",
    run: |exchange, words| Box::pin(async { groups(exchange, words.first()) }),
};

fn modules(exchange: &Exchange, like: Option<&String>) -> Outcome {
    let switch = &exchange.parts.switch;
    let reloaded = MODULES
        .iter()
        .map(|(name, _)| ((*name).to_owned(), "read again by `module reload`"));
    let applications = switch.applications().iter().map(|application| {
        let name = application.name.to_ascii_lowercase();
        (format!("app_{name}"), application.synopsis)
    });
    let functions = switch.functions().iter().map(|function| {
        let name = function.name.to_ascii_lowercase();
        (format!("func_{name}"), function.synopsis)
    });
    let technologies = CHANNEL_TYPES_THERE
        .iter()
        .map(|(name, what)| (format!("chan_{}", name.to_ascii_lowercase()), *what));
    let all = reloaded.chain(applications).chain(functions);
    let like = like.map_or_else(String::new, |like| like.to_ascii_lowercase());
    let like = like.trim_end_matches(".so");
    let rows = all.chain(technologies);
    let mut rows: Vec<(String, &str)> = rows.filter(|(name, _)| name.contains(like)).collect();
    rows.sort();
    rows.dedup_by(|next, before| next.0 == before.0);
    let row = |columns: [&str; 5]| {
        let [module, description, uses, status, support] = columns;
        format!("{module:<30} {description:<40.40} {uses:<10} {status:<11} {support:>13}\n")
    };
    let heads = [
        "Module",
        "Description",
        "Use Count",
        "Status",
        "Support Level",
    ];
    let mut text = row(heads);
    for (name, synopsis) in &rows {
        text.push_str(&row([
            &format!("{name}.so"),
            synopsis,
            "0",
            "Running",
            "core",
        ]));
    }
    Outcome::Done(format!("{text}{} modules loaded\n", rows.len()))
}

/// The technologies of calls there are.
const CHANNEL_TYPES_THERE: [(&str, &str); 2] = [
    ("Local", "Local Proxy Channel Driver"),
    ("PJSIP", "PJSIP Channel Driver"),
];

fn channel_types() -> String {
    let line = |columns: [&str; 6]| {
        let [kind, description, state, presence, indications, transfer] = columns;
        format!(
            "{kind:<15.15}  {description:<40.40}  {state:<12.12}  {presence:<12.12}  \
             {indications:<12.12}  {transfer:<12.12}\n"
        )
    };
    let heads = [
        "Type",
        "Description",
        "Devicestate",
        "Presencestate",
        "Indications",
        "Transfer",
    ];
    let rules = heads.map(|_| "-----------");
    let mut text = line(heads) + &line(rules);
    for (kind, description) in CHANNEL_TYPES_THERE {
        let own = if kind == "PJSIP" { "yes" } else { "no" };
        text.push_str(&line([kind, description, own, "no", "yes", own]));
    }
    let drivers = CHANNEL_TYPES_THERE.len();
    format!("{text}----------\n{drivers} channel drivers registered.\n")
}

fn features(exchange: &Exchange) -> Outcome {
    let config = exchange.config();
    let (features, map) = (&config.features, &config.features.map);
    let default = Features::default();
    let builtin = [
        (
            "Pickup",
            &default.general.pickup_exten,
            &features.general.pickup_exten,
        ),
        (
            "Blind Transfer",
            &default.map.blind_transfer,
            &map.blind_transfer,
        ),
        (
            "Attended Transfer",
            &default.map.attended_transfer,
            &map.attended_transfer,
        ),
        ("One Touch Monitor", &default.map.monitor, &map.monitor),
        ("Disconnect Call", &default.map.disconnect, &map.disconnect),
        ("Park Call", &default.map.park_call, &map.park_call),
        ("One Touch MixMonitor", &default.map.record, &map.record),
    ];
    let line = |name: &str, default: &str, current: &str| {
        format!("{name:<25} {default:<7} {current:<7}\n")
    };
    let title = |title: &str| {
        line(title, "Default", "Current") + &line("---------------", "-------", "-------")
    };
    let mut text = title("Builtin Feature");
    for (name, default, current) in builtin {
        text.push_str(&line(name, default, current));
    }
    text.push_str(&format!("\n{}", title("Dynamic Feature")));
    for (name, feature) in &features.applications {
        text.push_str(&line(name, "no def", &feature.digits));
    }
    if features.applications.is_empty() {
        text.push_str("(none)\n");
    }
    text.push_str("\nFeature Groups:\n---------------\n");
    for (group, own) in &features.groups {
        text.push_str(&format!("===> Group: {group}\n"));
        for (name, digits) in own {
            text.push_str(&format!("===> --> {name} ({digits})\n"));
        }
    }
    if features.groups.is_empty() {
        text.push_str("(none)\n");
    }
    text.push('\n');
    Outcome::Done(text)
}

fn groups(exchange: &Exchange, pattern: Option<&String>) -> Outcome {
    let pattern = match pattern
        .map(|pattern| regex_lite::Regex::new(pattern))
        .transpose()
    {
        Ok(pattern) => pattern,
        Err(error) => return Outcome::Failed(format!("That is no regular expression: {error}\n")),
    };
    let line = |channel: &str, group: &str, category: &str| {
        format!("{channel:<25}  {group:<20}  {category:<20}\n")
    };
    let mut text = line("Channel", "Group", "Category");
    let mut lines = 0_u64;
    for (channel, group) in exchange.parts.switch.all_groups() {
        if pattern
            .as_ref()
            .is_some_and(|pattern| !pattern.is_match(&group.name))
        {
            continue;
        }
        let category = match group.category.as_str() {
            "" => "(default)",
            category => category,
        };
        text.push_str(&line(&channel, &group.name, category));
        lines += 1;
    }
    let channels = count(lines, "active channel", "active channels");
    Outcome::Done(format!("{text}{channels}\n"))
}

fn sysinfo() -> Outcome {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{file}")).unwrap_or_default();
    Outcome::Done(statistics(
        &read("uptime"),
        &read("meminfo"),
        &read("loadavg"),
    ))
}

/// From what Linux tells in `/proc`.
fn statistics(uptime: &str, memory: &str, load: &str) -> String {
    let seconds: f64 = first(uptime).parse().unwrap_or(0.0);
    let kib = |name: &str| {
        let found = memory.lines().find_map(|line| {
            let rest = line.strip_prefix(name)?.strip_prefix(':')?;
            Some(first(rest).to_owned())
        });
        found.unwrap_or_else(|| "0".to_owned())
    };
    // `0.50 0.40 0.30 2/345 6789`: two of 345 run.
    let tasks = load.split_whitespace().nth(3).unwrap_or_default();
    let tasks = tasks.split_once('/').map_or("0", |(_, all)| all);
    let mut text = String::from("\nSystem Statistics\n-----------------\n");
    let rows = [
        (
            "System Uptime:",
            format!("{} hours", (seconds / 3600.0) as u64),
        ),
        ("Total RAM:", format!("{} KiB", kib("MemTotal"))),
        ("Free RAM:", format!("{} KiB", kib("MemFree"))),
        ("Buffer RAM:", format!("{} KiB", kib("Buffers"))),
        ("Total Swap Space:", format!("{} KiB", kib("SwapTotal"))),
        ("Free Swap Space:", format!("{} KiB", kib("SwapFree"))),
        ("Number of Processes:", tasks.to_owned()),
    ];
    for (name, value) in rows {
        text.push_str(&format!("  {name:<25}  {value}\n"));
    }
    text + "\n"
}

fn first(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{channel_types, statistics};

    #[test]
    fn the_machine_is_shown_as_linux_tells_it() {
        let memory = "MemTotal:        8000000 kB\nMemFree:          500000 kB\nBuffers:           1000 kB\n\
                      SwapTotal:             0 kB\nSwapFree:              0 kB\n";
        expect![[r#"

            System Statistics
            -----------------
              System Uptime:             2 hours
              Total RAM:                 8000000 KiB
              Free RAM:                  500000 KiB
              Buffer RAM:                1000 KiB
              Total Swap Space:          0 KiB
              Free Swap Space:           0 KiB
              Number of Processes:       345

        "#]]
        .assert_eq(&statistics(
            "7300.12 900.00\n",
            memory,
            "0.5 0.4 0.3 2/345 6789\n",
        ));
        assert!(statistics("", "", "").contains("  Total RAM:                 0 KiB\n"));
    }

    #[test]
    fn technologies_stand_in_asterisks_columns() {
        expect![[r#"
            Type             Description                               Devicestate   Presencestat  Indications   Transfer    
            -----------      -----------                               -----------   -----------   -----------   ----------- 
            Local            Local Proxy Channel Driver                no            no            yes           no          
            PJSIP            PJSIP Channel Driver                      yes           no            yes           yes         
            ----------
            2 channel drivers registered.
        "#]].assert_eq(&channel_types());
    }
}
