//! The measures as bar charts.

use dataset::{PckReport, PckRule};

use super::measured::{Measured, OksReport};
use crate::bar_chart::{Bar, BarChart, BarPanel};

/// A panel for each measure: a bar for each joint, and the figures that are published.
pub fn chart_of(measured: &Measured) -> BarChart {
    let mut panels: Vec<BarPanel> = measured.pck_reports().map(pck_panel).collect();
    if let Some(oks) = &measured.oks {
        panels.extend(joints_panel(oks));
        panels.push(coco_panel(oks));
    }
    BarChart { panels }
}

fn pck_panel(report: &PckReport) -> BarPanel {
    let bar = |label: &str, value: Option<f64>, strong: bool| Bar {
        label: label.to_owned(),
        value,
        text: value.map_or_else(String::new, |v| format!("{v:.1}")),
        strong,
    };
    let joints = report.joints.iter().filter(|joint| joint.counted > 0);
    let mut bars: Vec<Bar> = joints.map(|j| bar(&j.name, j.pck, false)).collect();
    bars.push(match report.rule {
        PckRule::HeatmapCells { .. } => bar("total", report.total, true),
        _ => bar("mean", report.mean, true),
    });
    BarPanel {
        title: format!("{}, {} people", report.rule, report.people),
        full: 100.0,
        bars,
    }
}

fn part_bar(label: &str, value: Option<f64>, strong: bool) -> Bar {
    Bar {
        label: label.to_owned(),
        value,
        text: value.map_or_else(String::new, |v| format!("{v:.3}")),
        strong,
    }
}

/// Nothing for results that do not say for whom they are.
fn joints_panel(oks: &OksReport) -> Option<BarPanel> {
    oks.mean_oks?;
    let joints = oks.joints.iter().filter(|joint| joint.counted > 0);
    let mut bars: Vec<Bar> = joints
        .map(|joint| part_bar(&joint.name, joint.similarity, false))
        .collect();
    bars.push(part_bar("mean OKS", oks.mean_oks, true));
    Some(BarPanel {
        title: format!("OKS ({})", oks.sigmas),
        full: 1.0,
        bars,
    })
}

fn coco_panel(oks: &OksReport) -> BarPanel {
    let figures = oks.coco.figures();
    BarPanel {
        title: format!("COCO, {} people", oks.coco.people),
        full: 1.0,
        bars: figures
            .iter()
            .map(|(name, value)| part_bar(name, *value, matches!(*name, "AP" | "AR")))
            .collect(),
    }
}
