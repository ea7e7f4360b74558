//! Functions of numbers: `MATH`, `INC`, `RAND` and their kin.

use switch::{Channel, Function};

use super::arguments::{named, number, parts, separate};

/// One operation.
pub(crate) static MATH: Function = Function {
    name: "MATH",
    synopsis: "Two numbers and what is between them (+ - * / % ^ << >> AND OR XOR < > <= >= ==), as float, int, hex \
               or char: MATH(7/2,int)",
    read: |call, text| {
        let value = math(text);
        if value.is_none() {
            call.warn(format_args!("MATH({text}): write it as MATH(1+2,int)"));
        }
        value
    },
    write: None,
};

/// One more.
pub(crate) static INC: Function = Function {
    name: "INC",
    synopsis: "A variable, which becomes one more: INC(variable)",
    read: |call, name| Some(step(call, name, 1)),
    write: None,
};

/// One less.
pub(crate) static DEC: Function = Function {
    name: "DEC",
    synopsis: "A variable, which becomes one less: DEC(variable)",
    read: |call, name| Some(step(call, name, -1)),
    write: None,
};

/// The least.
pub(crate) static MIN: Function = Function {
    name: "MIN",
    synopsis: "The least of some numbers: MIN(number,number…)",
    read: |_, text| choose(text, f64::min),
    write: None,
};

/// The greatest.
pub(crate) static MAX: Function = Function {
    name: "MAX",
    synopsis: "The greatest of some numbers: MAX(number,number…)",
    read: |_, text| choose(text, f64::max),
    write: None,
};

/// Without its sign.
pub(crate) static ABS: Function = Function {
    name: "ABS",
    synopsis: "A number without its sign: ABS(number)",
    read: |_, text| Some(shown(number(text).abs())),
    write: None,
};

/// By chance.
pub(crate) static RAND: Function = Function {
    name: "RAND",
    synopsis: "A whole number by chance, both ends among them: RAND([min[,max]])",
    read: |call, text| {
        let [first, last] = parts(text);
        let bound = |text: &str, otherwise: i64| match text.trim() {
            "" => otherwise,
            text => number(text) as i64,
        };
        let (first, last) = (bound(&first, 0), bound(&last, i32::MAX.into()));
        let (first, last) = (first.min(last), first.max(last));
        let count = last.wrapping_sub(first).unsigned_abs().saturating_add(1);
        let drawn = u64::from(call.switch().lucky()) << 32 | u64::from(call.switch().lucky());
        let drawn = i64::try_from(drawn % count).unwrap_or(0);
        Some(first.wrapping_add(drawn).to_string())
    },
    write: None,
};

/// Longer signs first, and those that a number may begin with last.
const SIGNS: [&str; 16] = [
    "AND", "XOR", "OR", "<<", ">>", "<=", ">=", "==", "<", ">", "^", "*", "/", "%", "+", "-",
];

fn math(text: &str) -> Option<String> {
    let [text, kind] = parts(text);
    let (at, sign) = SIGNS.into_iter().find_map(|sign| {
        // The sign of the first number is none of these.
        let from = text.len() - text.trim_start().len() + 1;
        let at = text.get(from..)?.find(sign)?;
        Some((from + at, sign))
    })?;
    let is_number = |text: &str| text.contains(|c: char| c.is_ascii_digit());
    let (left, right) = (&text[..at], &text[at + sign.len()..]);
    if !is_number(left) || !is_number(right) {
        return None;
    }
    let (a, b) = (number(left), number(right));
    let (x, y) = (a as i64, b as i64);
    let shift = u32::try_from(y).ok();
    let truth = |is: bool| Some(if is { "TRUE" } else { "FALSE" }.to_owned());
    let value = match sign {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" if b == 0.0 => 0.0,
        "/" => a / b,
        "%" if b == 0.0 => 0.0,
        "%" => a % b,
        "^" => a.powf(b),
        "AND" => (x & y) as f64,
        "OR" => (x | y) as f64,
        "XOR" => (x ^ y) as f64,
        "<<" => x.checked_shl(shift?)? as f64,
        ">>" => x.checked_shr(shift?)? as f64,
        "<" => return truth(a < b),
        ">" => return truth(a > b),
        "<=" => return truth(a <= b),
        ">=" => return truth(a >= b),
        _ => return truth(a == b),
    };
    Some(match kind.trim().to_ascii_lowercase().as_str() {
        "i" | "int" => format!("{}", value as i64),
        "h" | "hex" => format!("{:x}", value as i64),
        "c" | "char" => char::from_u32(value as u32)?.to_string(),
        _ => format!("{value:.6}"),
    })
}

fn step(call: &Channel, name: &str, by: i64) -> String {
    let value = number(&named(call, name)) as i64;
    let value = value.saturating_add(by).to_string();
    call.set_as_read(name.trim(), &value);
    value
}

fn choose(text: &str, better: fn(f64, f64) -> f64) -> Option<String> {
    let numbers = separate(text, usize::MAX);
    let best = numbers.iter().map(|text| number(text)).reduce(better)?;
    Some(shown(best))
}

fn shown(number: f64) -> String {
    match number == number.trunc() {
        true => format!("{number:.0}"),
        false => format!("{number:.6}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{choose, math};

    #[test]
    fn two_numbers_and_what_is_between_them() {
        for (text, expected) in [
            ("123%16,int", "11"),
            ("7/2", "3.500000"),
            ("7/2,int", "3"),
            ("-3+5,int", "2"),
            ("3--5,i", "8"),
            ("2^10,int", "1024"),
            ("255+0,hex", "ff"),
            ("64+1,char", "A"),
            ("1<<4,int", "16"),
            ("6 AND 3,int", "2"),
            ("6XOR3,int", "5"),
            ("8>=8", "TRUE"),
            ("1==2", "FALSE"),
            ("1/0", "0.000000"),
        ] {
            assert_eq!(math(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "1", "+", "1+", "x+1", "1<<99,int", "1<<-1,int"] {
            assert_eq!(math(text), None, "{text}");
        }
    }

    #[test]
    fn the_least_and_the_greatest() {
        assert_eq!(choose("3,-2,7", f64::min).as_deref(), Some("-2"));
        assert_eq!(choose("3,7.5", f64::max).as_deref(), Some("7.500000"));
    }
}
