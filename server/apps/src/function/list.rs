//! Functions of lists in variables: `CUT`, `FIELDQTY`, `PUSH`, `ARRAY` and their kin.

use switch::{Channel, Function, SetError};

use super::arguments::{named, number, parts, separate, separator};

/// Parts of a list.
pub(crate) static CUT: Function = Function {
    name: "CUT",
    synopsis: "Parts of a variable by their number, separated by a character (-): CUT(variable[,character],1-2&4)",
    read: |call, text| {
        let [name, by, which] = parts(text);
        let by = separator(&by).unwrap_or('-');
        let value = named(call, &name);
        Some(cut(&value, by, &which))
    },
    write: None,
};

/// How many parts there are.
pub(crate) static FIELD_QTY: Function = Function {
    name: "FIELDQTY",
    synopsis: "How many parts a variable has: FIELDQTY(variable,character)",
    read: |call, text| {
        let [name, by] = parts(text);
        let count = match (named(call, &name).as_str(), separator(&by)) {
            ("", _) => 0,
            (_, None) => 1,
            (value, Some(by)) => value.split(by).count(),
        };
        Some(count.to_string())
    },
    write: None,
};

/// Which part it is.
pub(crate) static FIELD_NUM: Function = Function {
    name: "FIELDNUM",
    synopsis: "Which part of a variable a value is, from 1; 0 if it is none: FIELDNUM(variable,character,value)",
    read: |call, text| {
        let [name, by, wanted] = parts(text);
        let by = separator(&by)?;
        let value = named(call, &name);
        let found = value.split(by).position(|part| part == wanted);
        Some(found.map_or(0, |index| index + 1).to_string())
    },
    write: None,
};

/// A list without a value.
pub(crate) static LIST_FILTER: Function = Function {
    name: "LISTFILTER",
    synopsis: "A variable without the parts that are this value: LISTFILTER(variable,character,value)",
    read: |call, text| {
        let [name, by, value] = parts(text);
        let by = separator(&by).unwrap_or(',');
        let list = named(call, &name);
        let kept: Vec<&str> = list.split(by).filter(|part| *part != value).collect();
        Some(kept.join(&by.to_string()))
    },
    write: None,
};

/// Keys by their numbers.
pub(crate) static SORT: Function = Function {
    name: "SORT",
    synopsis: "Keys in the order of their numbers: SORT(key:number,key:number…)",
    read: |_, text| {
        let mut pairs: Vec<(String, f64)> = separate(text, usize::MAX)
            .iter()
            .filter_map(|pair| pair.split_once(':'))
            .map(|(key, value)| (key.to_owned(), number(value)))
            .collect();
        pairs.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let keys: Vec<String> = pairs.into_iter().map(|(key, _)| key).collect();
        Some(keys.join(","))
    },
    write: None,
};

/// Takes the first part.
pub(crate) static SHIFT: Function = Function {
    name: "SHIFT",
    synopsis: "The first part of a variable, which is taken off: SHIFT(variable[,character])",
    read: |call, text| take(call, text, str::split_once),
    write: None,
};

/// Takes the last part.
pub(crate) static POP: Function = Function {
    name: "POP",
    synopsis: "The last part of a variable, which is taken off: POP(variable[,character])",
    read: |call, text| {
        take(call, text, |list, by| {
            list.rsplit_once(by).map(|(rest, part)| (part, rest))
        })
    },
    write: None,
};

/// Adds a part at the end.
pub(crate) static PUSH: Function = Function {
    name: "PUSH",
    synopsis: "Adds a part at the end of a variable: Set(PUSH(variable[,character])=value)",
    read: |_, _| None,
    write: Some(|call, text, value| {
        add(call, text, |list, by| format!("{list}{by}{value}"), value)
    }),
};

/// Adds a part at the beginning.
pub(crate) static UNSHIFT: Function = Function {
    name: "UNSHIFT",
    synopsis: "Adds a part at the beginning of a variable: Set(UNSHIFT(variable[,character])=value)",
    read: |_, _| None,
    write: Some(|call, text, value| {
        add(call, text, |list, by| format!("{value}{by}{list}"), value)
    }),
};

/// Several variables at once.
pub(crate) static ARRAY: Function = Function {
    name: "ARRAY",
    synopsis: "Sets several variables to the parts of a list: Set(ARRAY(a,b)=1,2)",
    read: |_, _| None,
    write: Some(|call, names, values| {
        let names = separate(names, usize::MAX);
        let mut values = separate(values, names.len()).into_iter();
        for name in names {
            let value = values.next().unwrap_or_default();
            call.set(name.trim(), &value)?;
        }
        Ok(())
    }),
};

fn cut(value: &str, by: char, which: &str) -> String {
    let all: Vec<&str> = value.split(by).collect();
    let mut kept = Vec::new();
    for range in which.split('&') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let bound = |text: &str, open: usize| match text.trim() {
            "" => Some(open),
            text => text.parse().ok(),
        };
        let (Some(first), Some(last)) = (bound(first, 1), bound(last, all.len())) else {
            continue;
        };
        let (first, last) = (first.max(1), last.min(all.len()));
        if first <= last {
            kept.extend_from_slice(&all[first - 1..last]);
        }
        // `1-&1-&1-` is nobody's wish, and grows with the product of the two.
        if kept.len() > all.len() {
            kept.truncate(all.len());
            break;
        }
    }
    kept.join(&by.to_string())
}

/// Takes one part off; `split` says which is that one and which the rest.
fn take<'v>(
    call: &Channel,
    text: &str,
    split: impl for<'a> Fn(&'a str, char) -> Option<(&'a str, &'a str)>,
) -> Option<String> {
    let [name, by] = parts(text);
    let by = separator(&by).unwrap_or(',');
    let list = named(call, &name);
    let (part, rest) = split(&list, by).unwrap_or((&list, ""));
    call.set_as_read(&name, rest);
    Some(part.to_owned())
}

fn add(
    call: &mut Channel,
    text: &str,
    join: impl Fn(&str, char) -> String,
    value: &str,
) -> Result<(), SetError> {
    let [name, by] = parts(text);
    let by = separator(&by).unwrap_or(',');
    let list = named(call, &name);
    let list = match list.as_str() {
        "" => value.to_owned(),
        list => join(list, by),
    };
    call.set(name.trim(), &list)
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn parts_are_named_by_number_range_and_list() {
        for (which, expected) in [
            ("1", "a"),
            ("2-3", "b-c"),
            ("3-", "c-d"),
            ("-2", "a-b"),
            ("1&4", "a-d"),
            ("5", ""),
            ("0", ""),
            ("x", ""),
            ("3-2", ""),
            ("2-99999999999999999999", ""),
            ("1&1&1", "a-a-a"),
            ("1-&1-&1-", "a-b-c-d"),
        ] {
            assert_eq!(cut("a-b-c-d", '-', which), expected, "{which}");
        }
    }
}
