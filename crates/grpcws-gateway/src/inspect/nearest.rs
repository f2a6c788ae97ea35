//! Names that are like one that is not there.

use std::fmt;

/// How like a name has to be, from 0 to 1.
const LIKENESS: f64 = 0.7;
/// The most names that are suggested.
const MOST: usize = 3;

/// Names to suggest, as the end of a sentence; nothing where there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestions(Vec<String>);

impl Suggestions {
    /// The names that are nearest to one: those that end with it, whatever the case, and then those that are spelled
    /// alike.
    pub(super) fn of<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let wanted = name.to_lowercase();
        let mut found: Vec<(f64, &str)> = known
            .map(|known| (likeness(&wanted, &known.to_lowercase()), known))
            .filter(|&(likeness, _)| likeness >= LIKENESS)
            .collect();
        found.sort_by(|(one, a), (other, b)| other.total_cmp(one).then_with(|| a.cmp(b)));
        found.dedup();
        Self(found.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect())
    }
}

fn likeness(wanted: &str, known: &str) -> f64 {
    let last = |name: &str| name.rsplit(['.', '/']).next().unwrap_or_default().to_owned();
    let behind_dot =
        known.strip_suffix(wanted).is_some_and(|before| before.is_empty() || before.ends_with(['.', '/']));
    if behind_dot {
        return 2.0;
    }
    let whole = strsim::normalized_damerau_levenshtein(wanted, known);
    // A long package that is right says little where the name itself is another one.
    whole.min(strsim::normalized_damerau_levenshtein(&last(wanted), &last(known)))
}

impl fmt::Display for Suggestions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => Ok(()),
            [only] => write!(f, "; did you mean {only}?"),
            [rest @ .., last] => write!(f, "; did you mean {} or {last}?", rest.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested() {
        let known = [
            "game.v1.GameService",
            "game.v1.GameService/Subscribe",
            "game.v1.GameEvent",
            "game.v2.GameService",
            "grpc.health.v1.Health",
        ];
        for (name, expected) in [
            ("game.v1.GameServce", "; did you mean game.v1.GameService or game.v2.GameService?"),
            ("gameservice", "; did you mean game.v1.GameService or game.v2.GameService?"),
            ("Subscribe", "; did you mean game.v1.GameService/Subscribe?"),
            ("GameService/Subscribe", "; did you mean game.v1.GameService/Subscribe?"),
            ("grpc.health.v1.health", "; did you mean grpc.health.v1.Health?"),
            ("Service", ""),
            ("", ""),
        ] {
            assert_eq!(Suggestions::of(name, known.into_iter()).to_string(), expected, "{name}");
        }
    }
}
