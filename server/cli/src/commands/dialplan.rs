//! `dialplan …`.

pub(crate) mod edit;
pub(crate) mod globals;

use dialplan::{EDITED, Extension, Extensions, Plan, Step};

use crate::command::{Command, Outcome, Takes};
use crate::commands::count;

pub(crate) static SHOW: Command = Command {
    path: "dialplan show",
    takes: Takes::Extension,
    synopsis: "Show dialplan",
    doc: "Shows the dial plan in force: all of it, one context, or what one extension matches in a\n\
          context and in those it includes (`246@sets`; `246@` asks every context).",
    run: |exchange, words| {
        Box::pin(async { show(&exchange.parts.switch.config().plan, words.first()) })
    },
};

/// Contexts shown for one that includes others, which may run in circles.
const CONTEXTS_SHOWN_MAX: usize = 128;

fn show(plan: &Plan, what: Option<&String>) -> Outcome {
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
    let mut shown = Shown::default();
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
#[derive(Default)]
struct Shown {
    text: String,
    contexts: u64,
    extensions: u64,
    priorities: u64,
}

impl Shown {
    /// One context: those of its extensions that `exten` matches, or all and the includes.
    fn context(&mut self, name: &str, extensions: &Extensions, exten: Option<&str>) {
        self.headed("Context", name, extensions, exten);
    }

    fn headed(&mut self, head: &str, name: &str, extensions: &Extensions, exten: Option<&str>) {
        let matching = |extension: &&Extension| exten.is_none_or(|exten| matches(extension, exten));
        let found: Vec<&Extension> = extensions.iter().filter(matching).collect();
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
        let place = match file {
            EDITED => "[pbx_config]".to_owned(),
            file => format!("[{file}:{line}]"),
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
    use dialplan::Plan;
    use expect_test::expect;

    use super::show;
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
        match show(&plan(), Some(&what.to_owned())) {
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
    fn what_is_not_there_is_said_as_asterisk_says_it() {
        let failed = |what: &str| show(&plan(), Some(&what.to_owned()));
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
