//! Whether a person is there.

/// Thresholds of [`Presence`]. The default ones are those of the shipped model: it is 0.2 to 0.42 sure
/// of trunks in furniture, and 0.58 to 0.9 of people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PresenceSettings {
    /// From this sureness on a person is found, 0..=1.
    pub found: f32,
    /// Below this sureness a person that was found is no longer seen; less than `found`.
    pub lost: f32,
    /// For so long a person that is not seen counts as there, in seconds.
    pub hold: f32,
}

impl Default for PresenceSettings {
    fn default() -> Self {
        PresenceSettings {
            found: 0.58,
            lost: 0.42,
            hold: 0.5,
        }
    }
}

/// What is known of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Presence {
    /// Not there.
    #[default]
    Lost,
    /// Seen in this frame.
    Found,
    /// Not seen for `seconds`, but not long enough to be gone.
    Held {
        /// Time since the person was last seen.
        seconds: f32,
    },
}

impl Presence {
    /// What is known after another look, `seconds` after the last one, with this sureness; none
    /// where nobody was found. A sureness that is not a number counts as nobody.
    ///
    /// ```text
    /// lost  → found  at sureness ≥ found
    /// found → held   at sureness < lost
    /// held  → found  at sureness ≥ the middle between lost and found
    /// held  → lost   after `hold` seconds
    /// ```
    pub fn next(
        self,
        sureness: Option<f32>,
        seconds: f32,
        settings: &PresenceSettings,
    ) -> Presence {
        let sureness = sureness.unwrap_or(0.0);
        let enough = match self {
            Presence::Lost => settings.found,
            Presence::Found => settings.lost,
            Presence::Held { .. } => 0.5 * (settings.found + settings.lost),
        };
        if sureness >= enough {
            return Presence::Found;
        }
        let unseen = match self {
            Presence::Lost => return Presence::Lost,
            Presence::Found => 0.0,
            Presence::Held { seconds } => seconds,
        } + seconds.max(0.0);
        if unseen <= settings.hold {
            Presence::Held { seconds: unseen }
        } else {
            Presence::Lost
        }
    }
}
