package config

import "time"

// leastExpire is a few scrapes of those who scrape most often: a key should be seen
// before it goes.
const leastExpire = 10 * time.Second

// longestExpire is longer than any machine runs.
const longestExpire = 100 * 365 * 24 * time.Hour

// neverExpire is what a metric says that is not to have the default.
const neverExpire = "never"

// expire returns after how long keys that are not updated go, 0 for never.
func (v value) expire() *time.Duration {
	word := v.word("expire")
	if word == "" {
		return nil
	}
	if word == neverExpire {
		return new(time.Duration)
	}
	after, ok := parseDuration(word)
	switch {
	case !ok:
		v.fail("expire: %q is no time: give one such as 10m or 1h30m, or never", word)
	case after < leastExpire:
		v.fail("expire: %s is too short: keys would go between two scrapes, before anybody has seen their last value; give at least 10s, or never", word)
	case after > longestExpire:
		v.fail("expire: %s is too long: say never", word)
	default:
		return &after
	}
	return nil
}
