package main

import (
	"errors"
	"io"
)

func unary(c *call) error {
	request, err := c.read()
	if err != nil {
		return err
	}
	answer, err := c.begin(request)
	if err != nil {
		return err
	}
	if answer.err != nil {
		return answer.err
	}
	response := newMessage(c.method.Output())
	response.set("sequence", request.number("sequence"))
	response.set("payload", request.bytes("payload"))
	if size := request.number("size"); size > 0 {
		response.set("payload", payload(size))
	}
	response.copyFrom(request, "values")
	answer.fill(response)
	return c.write(response)
}

func serverStream(c *call) error {
	request, err := c.read()
	if err != nil {
		return err
	}
	answer, err := c.begin(request)
	if err != nil {
		return err
	}
	bytes := payload(request.number("size"))
	for c.sent < min(request.number("count"), answer.limit) {
		response := newMessage(c.method.Output())
		response.set("sequence", request.number("first_sequence")+c.sent)
		response.set("payload", bytes)
		if c.sent == 0 {
			response.copyFrom(request, "values")
			answer.fill(response)
		}
		if err := c.write(response); err != nil {
			return err
		}
	}
	if err := c.sleep(request.number("hold_open_ms")); err != nil {
		return err
	}
	return answer.err
}

func clientStream(c *call) error {
	script, request, err := c.script()
	if err != nil {
		return err
	}
	answer, err := c.begin(script)
	if err != nil {
		return err
	}
	response := newMessage(c.method.Output())
	var bytes int64
	for {
		if request.Message != nil {
			c.sequence.enter(request.number("sequence"))
			bytes += int64(len(request.bytes("payload")))
			response.copyFrom(request, "values")
		}
		if script.bool("ignore_input") || c.received >= answer.limit {
			break
		}
		if request, err = c.read(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	if err := c.sleep(script.number("hold_open_ms")); err != nil {
		return err
	}
	if answer.err != nil {
		return answer.err
	}
	answer.fill(response)
	response.set("messages", c.received)
	response.set("bytes", bytes)
	response.set("first_sequence", c.sequence.first)
	response.set("last_sequence", c.sequence.last)
	response.set("gaps", c.sequence.gaps)
	response.set("in_order", c.sequence.gaps == 0)
	response.set("payload", payload(script.number("size")))
	return c.write(response)
}

func bidi(c *call) error {
	script, request, err := c.script()
	if err != nil {
		return err
	}
	answer, err := c.begin(script)
	if err != nil {
		return err
	}
	replies := int64(1)
	if script.has("replies") {
		replies = script.number("replies")
	}
	for range script.number("speak_first") {
		if err := c.reply(script, answer, message{}); err != nil {
			return err
		}
	}
	for c.sent < answer.limit {
		if request.Message != nil {
			c.sequence.enter(request.number("sequence"))
			for range replies {
				if err := c.reply(script, answer, request); err != nil {
					return err
				}
			}
		}
		if script.bool("ignore_input") || c.sent >= answer.limit {
			break
		}
		if request, err = c.read(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	if err := c.sleep(script.number("hold_open_ms")); err != nil {
		return err
	}
	return answer.err
}

// reply answers a request, or speaks first where there is none.
func (c *call) reply(script message, answer *answer, request message) error {
	if c.sent >= answer.limit {
		return nil
	}
	response := newMessage(c.method.Output())
	response.set("sequence", script.number("first_sequence")+c.sent)
	response.set("received", c.received)
	response.set("gaps", c.sequence.gaps)
	response.set("payload", payload(script.number("size")))
	if request.Message != nil {
		response.set("request_sequence", request.number("sequence"))
		response.copyFrom(request, "values")
		if script.number("size") == 0 {
			response.set("payload", request.bytes("payload"))
		}
	}
	answer.fill(response)
	return c.write(response)
}
