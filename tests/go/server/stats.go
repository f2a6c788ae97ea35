package main

import "sync"

// outcome is how a call ended: the name of a counter in StatsResponse.
type outcome string

const (
	live      outcome = "live"
	completed outcome = "completed"
	failed    outcome = "failed"
	cancelled outcome = "cancelled"
)

// stats counts calls, all of them and by their tags.
type stats struct {
	mutex  sync.Mutex
	counts map[string]map[outcome]int64
}

// change counts a call that goes from one state to another; "" is before the start.
func (s *stats) change(tag string, from, to outcome) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.counts[tag] == nil {
		s.counts[tag] = map[outcome]int64{}
	}
	s.counts[tag][from]--
	s.counts[tag][to]++
}

// read writes the counters of a tag, or of all, into a StatsResponse.
func (s *stats) read(tag string, response message) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	sums := map[outcome]int64{}
	for name, counts := range s.counts {
		if tag != "" && tag != name {
			continue
		}
		for state, count := range counts {
			sums[state] += count
		}
	}
	for _, state := range []outcome{live, completed, failed, cancelled} {
		response.set(string(state), sums[state])
	}
	response.set("started", sums[live]+sums[completed]+sums[failed]+sums[cancelled])
}
