//! What a connector writes is capped, and can't do anything to a reader.

use super::open;
use crate::support::{Opening, run};

#[test]
fn a_log_is_cut_at_a_thousand_lines_of_four_kibibytes_and_the_call_ends_well() {
    run(async {
        let bench = open(Opening::users(3)).await;
        let account = bench.tenant.get_account("flood-the-log").await;
        account.expect("writing much is no failure");
        let log = bench.last_report().log;
        assert_eq!(log.len(), 1001);
        let (last, lines) = log.split_last().expect("some lines");
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(line.len(), 4096);
            assert!(line.starts_with(&format!("{number} xxx")), "{line}");
        }
        // 1,500 lines and what stands behind the last line break.
        assert_eq!(last, "(501 more lines were dropped)");
        let next = bench.tenant.get_account("read").await;
        next.expect("the next call has a log of its own");
        assert!(bench.last_report().log.len() < 20);
    });
}

#[test]
fn what_a_connector_writes_can_not_steer_a_terminal() {
    run(async {
        let bench = open(Opening::users(3)).await;
        let account = bench.tenant.get_account("write-escapes-to-the-log").await;
        account.expect("writing oddly is no failure");
        let log = bench.last_report().log;
        let shown = "\\u{1b}]0;owned\\u{7}\\u{1b}[2J red\\u{d}back \\u{202e}desrever\\u{9b}31m";
        assert_eq!(log, [shown, "on the other stream\\u{0}"]);

        let account = bench.tenant.get_account("write-no-text-to-the-log").await;
        account.expect("writing no text is no failure");
        assert_eq!(
            bench.last_report().log,
            ["\u{fffd}\u{fffd}\u{fffd}"],
            "what is no UTF-8 is replaced"
        );
    });
}
