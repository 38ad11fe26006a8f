//! The One-Euro filter: heavy smoothing at rest, little lag in motion.

use crate::geometry::Point;

/// How a [`OneEuro`] filter smooths.
///
/// G. Casiez, N. Roussel, D. Vogel: "1€ Filter: A Simple Speed-based Low-pass Filter for Noisy
/// Input in Interactive Systems", CHI 2012.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneEuroSettings {
    /// Cutoff frequency at rest, in hertz, above 0. Lower is smoother.
    pub min_cutoff: f32,
    /// Growth of the cutoff with speed, in hertz for each unit a second, at least 0. Higher lags
    /// less in motion.
    pub beta: f32,
    /// Cutoff frequency of the speed's own low-pass filter, in hertz, above 0.
    pub derivative_cutoff: f32,
}

impl OneEuroSettings {
    /// How far the filter is behind something that moves at a constant `speed`, in units a second:
    /// the time constant τ = 1 / (2π·fc) in seconds, with fc = min_cutoff + beta · speed. It does
    /// not depend on the frame rate.
    pub fn lag_seconds(&self, speed: f32) -> f32 {
        time_constant(self.min_cutoff + self.beta * libm::fabsf(speed))
    }
}

/// A One-Euro filter of a point. Both coordinates share one cutoff, so that a turned picture gives
/// the turned result:
///
/// ```text
/// velocity = low_pass((raw − last raw) / Δt, α(derivative_cutoff))
/// value    = low_pass(raw, α(min_cutoff + beta · |velocity|))
/// α(fc)    = 1 / (1 + τ / Δt),  τ = 1 / (2π · fc)
/// ```
///
/// Works at any frame rate, also at one that changes.
///
/// ```
/// use pose::{OneEuro, OneEuroSettings, Point};
/// let settings = OneEuroSettings { min_cutoff: 1.0, beta: 0.0, derivative_cutoff: 1.0 };
/// let mut filter = OneEuro::default();
/// assert_eq!(filter.update(Point::new(1.0, 2.0), 0.0, &settings), Point::new(1.0, 2.0));
/// let next = filter.update(Point::new(2.0, 2.0), 0.1, &settings);
/// assert!(next.x > 1.0 && next.x < 2.0 && next.y == 2.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OneEuro {
    state: Option<State>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct State {
    raw: Point,
    value: Point,
    velocity: Point,
}

impl OneEuro {
    /// The smoothed point, after another measurement `seconds` after the last one. The first
    /// measurement comes back as it is. A measurement that is not finite changes nothing. Without
    /// time between two measurements, or with a negative one, the second
    /// changes nothing either.
    pub fn update(&mut self, raw: Point, seconds: f32, settings: &OneEuroSettings) -> Point {
        let finite = raw.x.is_finite() && raw.y.is_finite();
        let Some(state) = self.state.as_mut() else {
            if finite {
                self.state = Some(State {
                    raw,
                    value: raw,
                    velocity: Point::default(),
                });
            }
            return raw;
        };
        // Not above 0 covers not-a-number as well.
        if !finite || !seconds.is_finite() || seconds <= 0.0 {
            return state.value;
        }
        let velocity = Point::new(
            (raw.x - state.raw.x) / seconds,
            (raw.y - state.raw.y) / seconds,
        );
        let share = smoothing_share(settings.derivative_cutoff, seconds);
        state.velocity = between(state.velocity, velocity, share);
        let speed = libm::hypotf(state.velocity.x, state.velocity.y);
        let share = smoothing_share(settings.min_cutoff + settings.beta * speed, seconds);
        state.value = between(state.value, raw, share);
        state.raw = raw;
        state.value
    }

    /// The smoothed point; none before the first measurement.
    pub fn value(&self) -> Option<Point> {
        self.state.map(|state| state.value)
    }

    /// The last measurement; none before the first.
    pub fn raw(&self) -> Option<Point> {
        self.state.map(|state| state.raw)
    }

    /// Multiplies everything that the filter remembers, where the unit of length changes.
    pub fn rescale(&mut self, factor: f32) {
        let scaled = |p: Point| Point::new(p.x * factor, p.y * factor);
        if let Some(state) = self.state.as_mut() {
            state.raw = scaled(state.raw);
            state.value = scaled(state.value);
            state.velocity = scaled(state.velocity);
        }
    }

    /// Moves everything that the filter remembers, where the body moved without a measurement.
    pub fn shift(&mut self, x: f32, y: f32) {
        if let Some(state) = self.state.as_mut() {
            state.raw = Point::new(state.raw.x + x, state.raw.y + y);
            state.value = Point::new(state.value.x + x, state.value.y + y);
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.state = None;
    }
}

/// The share α of the new value in a first-order low-pass filter, 0..=1.
pub(crate) fn smoothing_share(cutoff: f32, seconds: f32) -> f32 {
    1.0 / (1.0 + time_constant(cutoff) / seconds)
}

fn time_constant(cutoff: f32) -> f32 {
    1.0 / (2.0 * core::f32::consts::PI * cutoff.max(1e-6))
}

fn between(from: Point, to: Point, share: f32) -> Point {
    Point::new(
        from.x + (to.x - from.x) * share,
        from.y + (to.y - from.y) * share,
    )
}
