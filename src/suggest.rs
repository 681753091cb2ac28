//! "Did you mean ...?": the nearest of a set of names.

/// Of more names than these only the nearest are listed: a wall of names helps nobody.
const LISTED_MAX: usize = 32;

/// A sentence that says what would have been right: the nearest name, or all of them.
#[must_use]
pub fn hint<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    hint_of(wrong, &names.collect::<Vec<_>>())
}

/// Built once, whatever the names come from.
fn hint_of(wrong: &str, names: &[&str]) -> String {
    let shortened: String = wrong.chars().take(64).collect();
    let nearest = names.iter().map(|name| (distance(&shortened, name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= 1 + name.len() / 3 => {
            format!("did you mean `{name}`?")
        }
        Some(_) if names.len() > LISTED_MAX => {
            let mut nearest: Vec<&str> = names.to_vec();
            nearest.sort_by_key(|name| distance(&shortened, name));
            let listed = nearest[..LISTED_MAX].join(", ");
            format!("expected one of {listed}, or of {} more", names.len() - LISTED_MAX)
        }
        Some(_) => format!("expected one of {}", names.join(", ")),
        None => "nothing is expected here".to_owned(),
    }
}

/// The Levenshtein distance between two short names.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
