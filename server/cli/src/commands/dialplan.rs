//! `dialplan …`.

pub(crate) mod edit;
pub(crate) mod globals;

use std::collections::BTreeMap;
use std::sync::Arc;

use dialplan::{EDITED, Extension, Extensions, Plan, Question, Step, Wanted};
use store::Store;

use crate::command::{Command, Outcome, Takes};
use crate::commands::count;

pub(crate) static SHOW: Command = Command {
    path: "dialplan show",
    takes: Takes::Extension,
    synopsis: "Show dialplan",
    doc: "Shows the dial plan in force: all of it, one context, or what one extension matches in a\n\
          context and in those it includes (`246@sets`; `246@` asks every context). Tables that a\n\
          switch names are asked for one extension only.",
    run: |exchange, words| {
        Box::pin(async {
            let plan = &exchange.parts.switch.config().plan;
            let tables = tables(exchange.parts.switch.store(), plan, words.first()).await;
            show(plan, words.first(), &tables)
        })
    },
};

/// What tables have, by the context whose switch names them.
type Tables = BTreeMap<String, Vec<Arc<Extensions>>>;

/// Asks the tables for one extension; those that do not answer have nothing.
async fn tables(store: &Store, plan: &Plan, what: Option<&String>) -> Tables {
    let mut tables = Tables::new();
    let Some((exten, _)) = what.and_then(|what| what.rsplit_once('@')) else {
        return tables;
    };
    for (name, extensions) in plan.contexts() {
        let switches = extensions.switches().iter();
        for table in switches.filter_map(|switch| switch.table(&NoCall)) {
            let mut wanted = vec![Wanted::Extension(exten.to_owned())];
            wanted.extend(table.patterns.then_some(Wanted::Patterns));
            for wanted in wanted {
                let question = Question {
                    family: table.family.clone(),
                    context: table.context.clone().unwrap_or_else(|| name.to_owned()),
                    wanted,
                };
                let answer = store.extensions(&question).await;
                tables.entry(name.to_owned()).or_default().extend(answer);
            }
        }
    }
    tables
}

/// What an `eswitch` sees without a call.
struct NoCall;

impl dialplan::Variables for NoCall {
    fn variable(&self, _: &str) -> Option<std::borrow::Cow<'_, str>> {
        None
    }

    fn function(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

/// Contexts shown for one that includes others, which may run in circles.
const CONTEXTS_SHOWN_MAX: usize = 128;

fn show(plan: &Plan, what: Option<&String>, tables: &Tables) -> Outcome {
    let (exten, context) = match what.map(|what| what.rsplit_once('@')) {
        None => (None, None),
        Some(None) => (None, what.map(String::as_str)),
        Some(Some((exten, context))) => (Some(exten), (!context.is_empty()).then_some(context)),
    };
    if let Some(context) = context
        && !plan.has_context(context)
    {
        return Outcome::Failed(format!("There is no existence of '{context}' context\n"));
    }
    let mut shown = Shown {
        tables,
        text: String::new(),
        contexts: 0,
        extensions: 0,
        priorities: 0,
    };
    for (name, extensions) in plan.contexts() {
        if context.is_none_or(|context| context == name) {
            shown.context(name, extensions, exten);
            if exten.is_some() && context.is_some() {
                shown.included(plan, name, extensions, exten);
            }
        }
    }
    match (shown.extensions, exten) {
        (0, Some(exten)) => Outcome::Failed(match context {
            Some(context) => format!("There is no existence of {exten}@{context} extension\n"),
            None => format!("There is no existence of '{exten}' extension in all contexts\n"),
        }),
        _ => Outcome::Done(shown.finish()),
    }
}

/// The text so far, and what it holds.
struct Shown<'a> {
    tables: &'a Tables,
    text: String,
    contexts: u64,
    extensions: u64,
    priorities: u64,
}

impl Shown<'_> {
    /// One context: those of its extensions that `exten` matches, or all and the includes.
    fn context(&mut self, name: &str, extensions: &Extensions, exten: Option<&str>) {
        self.headed("Context", name, extensions, exten);
    }

    fn headed(&mut self, head: &str, name: &str, extensions: &Extensions, exten: Option<&str>) {
        let matching = |extension: &&Extension| exten.is_none_or(|exten| matches(extension, exten));
        let tables = self.tables.get(name).into_iter().flatten();
        let all = extensions
            .iter()
            .chain(tables.flat_map(|table| table.iter()));
        let found: Vec<&Extension> = all.filter(matching).collect();
        if found.is_empty() && exten.is_some() {
            return;
        }
        self.contexts += 1;
        self.text
            .push_str(&format!("[ {head} '{name}' created by 'pbx_config' ]\n"));
        for extension in found {
            self.extension(extension);
        }
        if exten.is_none() {
            for include in extensions.includes() {
                let context = format!("'{}'", include.context);
                self.line("Include =>", &context, &include.file, include.line);
            }
            for switch in extensions.switches() {
                let written = format!("'{}'", switch.written);
                self.line("Alt. Switch =>", &written, &switch.file, switch.line);
            }
        }
        self.text.push('\n');
    }

    /// The contexts that `context` includes, each once and itself not again.
    fn included(
        &mut self,
        plan: &Plan,
        context: &str,
        extensions: &Extensions,
        exten: Option<&str>,
    ) {
        let mut waiting: Vec<&str> = includes_of(extensions);
        let mut seen = vec![context];
        while let Some(name) = waiting.pop() {
            if seen.contains(&name) || seen.len() >= CONTEXTS_SHOWN_MAX {
                continue;
            }
            seen.push(name);
            if let Some((_, extensions)) = plan.contexts().find(|(other, _)| *other == name) {
                self.headed("Included context", name, extensions, exten);
                waiting.extend(includes_of(extensions));
            }
        }
    }

    fn extension(&mut self, extension: &Extension) {
        self.extensions += 1;
        let mut head = match &extension.caller {
            Some(caller) => format!("'{}' (CID match '{caller}') =>", extension.name),
            None => format!("'{}' =>", extension.name),
        };
        if let Some(hint) = &extension.hint {
            self.priorities += 1;
            self.text.push_str(&format!("  {head:<17} hint: {hint}\n"));
            head.clear();
        }
        for (priority, step) in &extension.steps {
            self.priorities += 1;
            let first = match &step.label {
                Some(label) if head.is_empty() => format!("   [{label}]"),
                _ => std::mem::take(&mut head),
            };
            self.line(&first, &written(*priority, step), &step.file, step.line);
        }
    }

    fn line(&mut self, first: &str, second: &str, file: &str, line: u32) {
        let place = match (file, line) {
            (EDITED, _) => "[pbx_config]".to_owned(),
            (row, 0) => format!("[{row}]"),
            (file, line) => format!("[{file}:{line}]"),
        };
        self.text
            .push_str(&format!("  {first:<17} {second:<45} {place}\n"));
    }

    fn finish(self) -> String {
        let Self {
            text,
            contexts,
            extensions,
            priorities,
            tables: _,
        } = self;
        format!(
            "{text}-= {} ({}) in {}. =-\n",
            count(extensions, "extension", "extensions"),
            count(priorities, "priority", "priorities"),
            count(contexts, "context", "contexts"),
        )
    }
}

/// The contexts named, the first one last, for a stack.
fn includes_of(extensions: &Extensions) -> Vec<&str> {
    let includes = extensions.includes().iter().rev();
    includes.map(|include| include.context.as_str()).collect()
}

fn matches(extension: &Extension, exten: &str) -> bool {
    match &extension.pattern {
        Some(pattern) => pattern.matches(exten) || extension.name == exten,
        None => extension.name == exten,
    }
}

/// `4. StreamEcho(4)`.
fn written(priority: u32, step: &Step) -> String {
    format!("{priority}. {}({})", step.application, step.arguments)
}

#[cfg(test)]
mod tests {
    use dialplan::{Extensions, Plan, TableRow};
    use expect_test::expect;

    use super::{Tables, show};
    use crate::command::Outcome;

    const FILE: &str = "\
[sets]
include => more
exten => 246,1,Noop()
 same => n,Answer()
 same => n(echo),StreamEcho(4)
exten => 100,hint,PJSIP/alice
exten => 100,1,Dial(PJSIP/WS_PHONE_A,30)
[more]
include => sets
exten => _2XX,1,Hangup()
";

    fn plan() -> Plan {
        let (plan, messages) = Plan::parse("extensions.conf", FILE);
        assert!(messages.is_empty(), "{messages:?}");
        plan
    }

    fn text(what: &str) -> String {
        match show(&plan(), Some(&what.to_owned()), &Tables::new()) {
            Outcome::Done(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_context_has_asterisks_shape() {
        expect![[r#"
            [ Context 'sets' created by 'pbx_config' ]
              '100' =>          hint: PJSIP/alice
                                1. Dial(PJSIP/WS_PHONE_A,30)                  [extensions.conf:7]
              '246' =>          1. Noop()                                     [extensions.conf:3]
                                2. Answer()                                   [extensions.conf:4]
                 [echo]         3. StreamEcho(4)                              [extensions.conf:5]
              Include =>        'more'                                        [extensions.conf:2]

            -= 2 extensions (5 priorities) in 1 context. =-
        "#]]
        .assert_eq(&text("sets"));
    }

    #[test]
    fn an_extension_is_found_in_included_contexts_once() {
        expect![[r#"
            [ Context 'sets' created by 'pbx_config' ]
              '246' =>          1. Noop()                                     [extensions.conf:3]
                                2. Answer()                                   [extensions.conf:4]
                 [echo]         3. StreamEcho(4)                              [extensions.conf:5]

            [ Included context 'more' created by 'pbx_config' ]
              '_2XX' =>         1. Hangup()                                   [extensions.conf:10]

            -= 2 extensions (4 priorities) in 2 contexts. =-
        "#]]
        .assert_eq(&text("246@sets"));
        assert!(text("299@").contains("_2XX"));
    }

    #[test]
    fn a_switch_is_named_and_rows_of_its_table_are_shown_for_one_extension() {
        let text = "[sets]\nexten => 1,1,Noop()\nswitch => Realtime/@extensions\n";
        let (plan, _) = Plan::parse("extensions.conf", text);
        let row = TableRow {
            id: Some("7"),
            context: Some("sets"),
            exten: Some("_1XX"),
            priority: Some("1"),
            app: Some("Echo"),
            appdata: None,
        };
        let (rows, _) = Extensions::from_rows("extensions", None, [row]);
        let tables = Tables::from([("sets".to_owned(), vec![rows.into()])]);
        let text = |what: &str, tables: &Tables| match show(&plan, Some(&what.to_owned()), tables) {
            Outcome::Done(text) => text,
            other => panic!("{other:?}"),
        };
        expect![[r#"
            [ Context 'sets' created by 'pbx_config' ]
              '1' =>            1. Noop()                                     [extensions.conf:2]
              Alt. Switch =>    'Realtime/@extensions'                        [extensions.conf:3]

            -= 1 extension (1 priority) in 1 context. =-
        "#]]
        .assert_eq(&text("sets", &Tables::new()));
        expect![[r#"
            [ Context 'sets' created by 'pbx_config' ]
              '_1XX' =>         1. Echo()                                     [extensions, row 7]

            -= 1 extension (1 priority) in 1 context. =-
        "#]]
        .assert_eq(&text("100@sets", &tables));
    }

    #[test]
    fn what_is_not_there_is_said_as_asterisk_says_it() {
        let failed = |what: &str| show(&plan(), Some(&what.to_owned()), &Tables::new());
        let sentence = |text: &str| Outcome::Failed(text.to_owned());
        assert_eq!(
            failed("nosuch"),
            sentence("There is no existence of 'nosuch' context\n")
        );
        assert_eq!(
            failed("9@sets"),
            sentence("There is no existence of 9@sets extension\n")
        );
    }
}
