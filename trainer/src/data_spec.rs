//! Which people to train or validate on: `SOURCE[#[!]K/N][*REPEAT]`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dataset::{Person, Source, Split};
use pose::KeypointSet;

use crate::error::TrainError;

/// A source of annotated people as the command line names it, for example
/// `lsp:data/lsp?split=train#!0/10*3`: LSP's training photos without every tenth, three times an
/// epoch.
#[derive(Clone, Debug)]
pub struct DataSpec {
    text: String,
    source: Source,
    /// What follows the source in the text.
    share: String,
    /// `(inverted, k, n)`: people whose index modulo `n` is `k`, or is not.
    part: Option<(bool, usize, usize)>,
    /// How often each person comes in one epoch.
    pub repeat: usize,
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for DataSpec {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        let fail = |reason: &str| TrainError::DataSpec {
            spec: text.to_owned(),
            reason: reason.to_owned(),
        };
        let (rest, repeat) = match text.rsplit_once('*') {
            Some((rest, count)) => {
                let count = count.parse().ok().filter(|&count| count > 0);
                let message = "what follows `*` must be a whole number, 1 or more";
                (rest, count.ok_or_else(|| fail(message))?)
            }
            None => (text, 1),
        };
        let (rest, part) = match rest.rsplit_once('#') {
            Some((rest, part)) => {
                let (inverted, fraction) = match part.strip_prefix('!') {
                    Some(fraction) => (true, fraction),
                    None => (false, part),
                };
                let numbers = fraction
                    .split_once('/')
                    .and_then(|(k, n)| Some((k.parse::<usize>().ok()?, n.parse::<usize>().ok()?)))
                    .filter(|(k, n)| k < n);
                let message = "what follows `#` must be K/N or !K/N with K below N";
                let (k, n) = numbers.ok_or_else(|| fail(message))?;
                (rest, Some((inverted, k, n)))
            }
            None => (rest, None),
        };
        Ok(Self {
            text: text.to_owned(),
            source: rest.parse().map_err(TrainError::Dataset)?,
            share: text[rest.len()..].to_owned(),
            part,
            repeat,
        })
    }
}

impl DataSpec {
    /// The specification with the last part of its path alone, for model cards: a folder of
    /// somebody's machine is nobody else's business.
    pub fn label(&self) -> String {
        let last = |path: &Path| PathBuf::from(path.file_name().unwrap_or_default());
        let source = Source {
            root: last(&self.source.root),
            images: None,
            names: self.source.names.as_deref().map(last),
            ..self.source.clone()
        };
        format!("{source}{}", self.share)
    }

    /// The data set that the people are from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether only a part of the data set's people is asked for.
    pub fn is_part(&self) -> bool {
        self.part.is_some()
    }

    /// Reads the people; those without a label are left out. Records with problems are reported
    /// through `warn` and left out.
    ///
    /// # Errors
    /// When the source cannot be read, or holds people of a test split where `allow_test` is not
    /// set: nobody trains on those by accident.
    pub fn load(
        &self,
        keypoints: &KeypointSet,
        allow_test: bool,
        mut warn: impl FnMut(String),
    ) -> Result<Vec<Person>, TrainError> {
        let loaded = dataset::load(&self.source, keypoints)?;
        for problem in &loaded.problems {
            warn(problem.to_string());
        }
        let mut people: Vec<Person> = loaded
            .people
            .into_iter()
            .enumerate()
            .filter(|(index, _)| match self.part {
                Some((inverted, k, n)) => (index % n == k) != inverted,
                None => true,
            })
            .map(|(_, person)| person)
            .filter(|person| person.labelled() > 0)
            .collect();
        if !allow_test && let Some(person) = people.iter().find(|p| p.split == Split::Test) {
            return Err(TrainError::DataSpec {
                spec: self.text.clone(),
                reason: format!(
                    "{} is in the test split, which is never trained on; add ?split=train",
                    person.id
                ),
            });
        }
        people.shrink_to_fit();
        Ok(people)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_holds_no_folder() {
        let label = |text: &str| text.parse::<DataSpec>().unwrap().label();
        assert_eq!(label("lspet:/data/lspet"), "lspet:lspet");
        assert_eq!(
            label("lsp:/a/b/lsp?split=train#!0/10*3"),
            "lsp:lsp?split=train#!0/10*3"
        );
        assert_eq!(label("coco:x/people.json*2"), "coco:people.json*2");
        assert_eq!(
            label("csv:/a/b.csv,/c/photos?names=/d/e_classes.txt#0/2"),
            "csv:b.csv?names=e_classes.txt#0/2"
        );
    }

    #[test]
    fn parts_and_repeats_are_checked() {
        let message = |text: &str| text.parse::<DataSpec>().unwrap_err().to_string();
        assert!(message("lsp:x*0").contains("what follows `*`"));
        assert!(message("lsp:x#3/2").contains("K below N"));
        assert!(message("lsp:x#many").contains("K/N"));
        assert_eq!("lsp:x#0/2*4".parse::<DataSpec>().unwrap().repeat, 4);
    }
}
