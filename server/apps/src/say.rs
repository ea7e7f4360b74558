//! `SayDigits`, `SayNumber`, `SayAlpha`, `SayPhonetic`: values spoken with the recordings of Asterisk's prompts.

use media::Playable;
use switch::{AppResult, Application, Args, Channel, Interrupt, Position};

use crate::arguments::{is_true, warn};
use crate::prompt::ready;

/// Says digits one by one.
pub(crate) static SAY_DIGITS: Application = Application {
    name: "SayDigits",
    synopsis: "Say digits, one after the other",
    doc: include_str!("say_digits.md"),
    run: |call, args| Box::pin(run(call, args, "SayDigits", digits)),
};

/// Says a number.
pub(crate) static SAY_NUMBER: Application = Application {
    name: "SayNumber",
    synopsis: "Say a number",
    doc: include_str!("say_number.md"),
    run: |call, args| Box::pin(run(call, args, "SayNumber", number)),
};

/// Spells.
pub(crate) static SAY_ALPHA: Application = Application {
    name: "SayAlpha",
    synopsis: "Say letters and digits, one after the other",
    doc: include_str!("say_alpha.md"),
    run: |call, args| Box::pin(run(call, args, "SayAlpha", |text| Some(letters(text)))),
};

/// Spells with words.
pub(crate) static SAY_PHONETIC: Application = Application {
    name: "SayPhonetic",
    synopsis: "Say letters by words of the spelling alphabet",
    doc: include_str!("say_phonetic.md"),
    run: |call, args| Box::pin(run(call, args, "SayPhonetic", |text| Some(phonetic(text)))),
};

/// What a caller may listen to at a time.
const SPOKEN_MAX: usize = 256;

/// The files a text is put together from; `None`: it cannot be said.
type Files = fn(&str) -> Option<Vec<String>>;

async fn run(call: &mut Channel, args: Args<'_>, name: &str, files: Files) -> AppResult {
    let text = args.at(0).unwrap_or_default();
    let Some(mut files) = files(text) else {
        let what = format!("'{text}' is no number; nothing is said");
        warn(call, name, &args, what);
        return Ok(());
    };
    if files.len() > SPOKEN_MAX {
        let what = format!("only the first {SPOKEN_MAX} are said (SPOKEN_MAX)");
        warn(call, name, &args, what);
        files.truncate(SPOKEN_MAX);
    }
    ready(call, false, true).await?;
    let stops = call.vars.value("SAY_DTMF_INTERRUPT").is_some_and(is_true);
    let mut missing = Vec::new();
    let mut pressed = None;
    for file in files {
        if missing.contains(&file) {
            continue;
        }
        match call.sound(&file).await? {
            Ok(sound) => pressed = call.play(Playable::Sound(sound), |_| stops).await?,
            Err(_) => missing.push(file),
        }
        if pressed.is_some() {
            break;
        }
    }
    if !missing.is_empty() {
        let folder = call.switch().config().own.sounds.clone();
        let missing = missing.join(", ");
        let what = format!(
            "there is no sound {missing} in {folder}; Asterisk's folder of sounds has them: put it there, or name \
             another with `sounds=` in sidetone.conf"
        );
        warn(call, name, &args, what);
    }
    match pressed {
        Some(digit) => leave(call, digit).await,
        None => Ok(()),
    }
}

/// `SAY_DTMF_INTERRUPT`: the digit leads to the extension it is, if there is one.
async fn leave(call: &mut Channel, digit: char) -> AppResult {
    let exten = digit.to_string();
    match call.has_extension(&exten).await? {
        Ok(true) => Err(Interrupt::Redirect(Position {
            context: call.at.context.clone(),
            exten,
            priority: 1,
        })),
        Ok(false) | Err(_) => Ok(()),
    }
}

fn digits(text: &str) -> Option<Vec<String>> {
    let file = |digit: char| match digit {
        '0'..='9' => Some(format!("digits/{digit}")),
        '*' => Some("digits/star".to_owned()),
        '#' => Some("digits/pound".to_owned()),
        '-' => Some("digits/minus".to_owned()),
        _ => None,
    };
    Some(text.chars().filter_map(file).collect())
}

/// As it is put together in English.
fn number(text: &str) -> Option<Vec<String>> {
    let mut left: i64 = text.trim().parse().ok()?;
    if left.unsigned_abs() >= 1_000_000_000_000 {
        return None;
    }
    let mut files = Vec::new();
    let mut say = |name: &str| files.push(format!("digits/{name}"));
    if left < 0 {
        say("minus");
        left = -left;
    }
    if left == 0 {
        say("0");
    }
    let groups = [
        (1_000_000_000, "billion"),
        (1_000_000, "million"),
        (1_000, "thousand"),
        (1, ""),
    ];
    for (size, name) in groups {
        let group = left / size;
        left %= size;
        let (hundreds, rest) = (group / 100, group % 100);
        if hundreds > 0 {
            say(&hundreds.to_string());
            say("hundred");
        }
        match rest {
            0 => {}
            1..=19 => say(&rest.to_string()),
            _ => {
                say(&(rest / 10 * 10).to_string());
                if rest % 10 > 0 {
                    say(&(rest % 10).to_string());
                }
            }
        }
        if group > 0 && !name.is_empty() {
            say(name);
        }
    }
    Some(files)
}

/// The file of a sign that both alphabets have.
fn sign(character: char) -> Option<String> {
    Some(match character {
        '0'..='9' => format!("digits/{character}"),
        '*' => "digits/star".to_owned(),
        '#' => "digits/pound".to_owned(),
        '!' => "letters/exclaimation-point".to_owned(),
        '@' => "letters/at".to_owned(),
        '$' => "letters/dollar".to_owned(),
        '-' => "letters/dash".to_owned(),
        '.' => "letters/dot".to_owned(),
        '=' => "letters/equals".to_owned(),
        '+' => "letters/plus".to_owned(),
        '/' => "letters/slash".to_owned(),
        ' ' => "letters/space".to_owned(),
        _ => return None,
    })
}

fn letters(text: &str) -> Vec<String> {
    let file = |character: char| {
        let letter = character.to_ascii_lowercase();
        let letter = letter
            .is_ascii_lowercase()
            .then(|| format!("letters/{letter}"));
        sign(character).or(letter)
    };
    text.chars().filter_map(file).collect()
}

fn phonetic(text: &str) -> Vec<String> {
    let file = |character: char| {
        let letter = character.to_ascii_lowercase();
        let word = letter
            .is_ascii_lowercase()
            .then(|| format!("phonetic/{letter}_p"));
        sign(character).or(word)
    };
    text.chars().filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::{digits, letters, number, phonetic};

    fn said(files: Option<Vec<String>>) -> String {
        let files = files.unwrap_or_default();
        let names: Vec<&str> = files
            .iter()
            .map(|file| file.strip_prefix("digits/").unwrap_or(file))
            .collect();
        names.join(" ")
    }

    #[test]
    fn numbers_are_put_together_as_in_english() {
        for (text, expected) in [
            ("0", "0"),
            ("19", "19"),
            ("20", "20"),
            ("-42", "minus 40 2"),
            ("100", "1 hundred"),
            ("115", "1 hundred 15"),
            ("2000", "2 thousand"),
            ("123456", "1 hundred 20 3 thousand 4 hundred 50 6"),
            ("1000001", "1 million 1"),
            ("5000000000", "5 billion"),
            ("1000000000000", ""),
            ("12x", ""),
            ("", ""),
        ] {
            assert_eq!(said(number(text)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_said_one_by_one() {
        assert_eq!(said(digits("1*-# x9")), "1 star minus pound 9");
        assert_eq!(
            letters("aB-1ü"),
            ["letters/a", "letters/b", "letters/dash", "digits/1"]
        );
        assert_eq!(phonetic("Q."), ["phonetic/q_p", "letters/dot"]);
    }
}
