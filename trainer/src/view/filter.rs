//! Which people to look at: `suspicious`, `joints<6,split=train` …

use std::fmt;
use std::str::FromStr;

use dataset::{Person, Split, Suspicion};
use pose::KeypointSet;

/// Terms that a person must all meet; none means everybody.
///
/// | term | people |
/// |---|---|
/// | `suspicious` | with labels that are rarely right, see [`dataset::suspicions`] |
/// | `joints<N`, `joints>N` | with fewer or more labelled joints |
/// | `people<N`, `people>N` | in photos with fewer or more annotated people |
/// | `has=JOINT`, `lacks=JOINT` | with or without a label for this joint |
/// | `occluded=JOINT` | whose label says that the joint is hidden |
/// | `split=train`, `validation`, `test` | of this split |
/// | `id=TEXT` | with the text in their id or the photo's path |
///
/// ```
/// let filter: trainer::ViewFilter = "joints<6,has=left_wrist".parse()?;
/// assert_eq!(filter.to_string(), "joints<6,has=left_wrist");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewFilter {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Suspicious,
    Count {
        people: bool,
        more: bool,
        than: usize,
    },
    Has(String),
    Lacks(String),
    Occluded(String),
    Split(Split),
    Id(String),
}

impl fmt::Display for ViewFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ViewFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let terms = text.split(',').filter(|term| !term.is_empty());
        Ok(ViewFilter {
            text: text.to_owned(),
            terms: terms.map(term).collect::<Result<_, _>>()?,
        })
    }
}

fn term(text: &str) -> Result<Term, String> {
    let unknown = || {
        format!(
            "`{text}`: expected suspicious, joints<N, joints>N, people<N, people>N, has=JOINT, \
             lacks=JOINT, occluded=JOINT, split=NAME or id=TEXT"
        )
    };
    if text == "suspicious" {
        return Ok(Term::Suspicious);
    }
    if let Some((what, number)) = text.split_once(['<', '>']) {
        let than = number.parse().map_err(|_| unknown())?;
        let more = text.contains('>');
        return match what {
            "joints" | "people" => Ok(Term::Count {
                people: what == "people",
                more,
                than,
            }),
            _ => Err(unknown()),
        };
    }
    let value = |value: &str| value.to_owned();
    match text.split_once('=') {
        Some(("has", joint)) => Ok(Term::Has(value(joint))),
        Some(("lacks", joint)) => Ok(Term::Lacks(value(joint))),
        Some(("occluded", joint)) => Ok(Term::Occluded(value(joint))),
        Some(("id", part)) => Ok(Term::Id(value(part))),
        Some(("split", "train")) => Ok(Term::Split(Split::Train)),
        Some(("split", "validation" | "val")) => Ok(Term::Split(Split::Validation)),
        Some(("split", "test")) => Ok(Term::Split(Split::Test)),
        _ => Err(unknown()),
    }
}

impl ViewFilter {
    /// Joints that the filter names and `set` does not have.
    pub fn unknown_joint(&self, set: &KeypointSet) -> Option<&str> {
        self.terms.iter().find_map(|term| match term {
            Term::Has(joint) | Term::Lacks(joint) | Term::Occluded(joint) => {
                set.index_of(joint).is_none().then_some(joint.as_str())
            }
            _ => None,
        })
    }

    /// Whether a person meets all terms. `in_photo` is the number of people in their photo,
    /// `suspicions` looks for what is wrong, if that is asked for.
    pub fn passes(
        &self,
        person: &Person,
        set: &KeypointSet,
        in_photo: usize,
        suspicions: impl Fn() -> Vec<Suspicion>,
    ) -> bool {
        let label = |joint: &str| {
            let label = set.index_of(joint).and_then(|i| person.keypoints.get(i));
            label.filter(|label| label.is_labelled())
        };
        self.terms.iter().all(|term| match term {
            Term::Suspicious => !suspicions().is_empty(),
            Term::Count { people, more, than } => {
                let count = if *people { in_photo } else { person.labelled() };
                if *more { count > *than } else { count < *than }
            }
            Term::Has(joint) => label(joint).is_some(),
            Term::Lacks(joint) => label(joint).is_none(),
            Term::Occluded(joint) => {
                label(joint).is_some_and(|l| l.visibility == dataset::Visibility::Occluded)
            }
            Term::Split(split) => person.split == *split,
            Term::Id(part) => {
                person.id.contains(part) || person.image.to_string_lossy().contains(part)
            }
        })
    }
}
