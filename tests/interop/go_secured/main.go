// RocketMQ's Go client at a cluster that only speaks TLS and only to whom its access rules name. See Secured.java.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

const count = 10

func must(err error) {
	if err != nil {
		fmt.Println("refused", err)
		os.Exit(0)
	}
}

func main() {
	rlog.SetLogLevel("error")
	nameServer, topic, group, tls := os.Args[1], os.Args[2], os.Args[3], os.Args[6] == "tls"
	keys := primitive.Credentials{AccessKey: os.Args[4], SecretKey: os.Args[5]}
	names := primitive.NewPassthroughResolver([]string{nameServer})

	sender, err := rocketmq.NewProducer(producer.WithNsResolver(names), producer.WithGroupName("p"),
		producer.WithCredentials(keys), producer.WithTls(tls), producer.WithRetry(0))
	must(err)
	must(sender.Start())
	for i := 0; i < count; i++ {
		_, err := sender.SendSync(context.Background(), primitive.NewMessage(topic, []byte(fmt.Sprint(i))))
		must(err)
	}
	fmt.Println("sent", count)

	reader, err := rocketmq.NewPushConsumer(consumer.WithNsResolver(names), consumer.WithGroupName(group),
		consumer.WithCredentials(keys), consumer.WithTls(tls), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	must(err)
	got := make(chan string, count)
	must(reader.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"},
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, message := range messages {
				got <- string(message.Body)
			}
			return consumer.ConsumeSuccess, nil
		}))
	must(reader.Start())
	end := time.After(60 * time.Second)
	bodies := map[string]bool{}
	for len(bodies) < count {
		select {
		case body := <-got:
			bodies[body] = true
		case <-end:
			fmt.Println("consumed only", len(bodies))
			os.Exit(1)
		}
	}
	fmt.Println("consumed", len(bodies))
}
